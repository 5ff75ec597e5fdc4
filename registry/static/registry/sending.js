// Sends one file to the server: asks whether its bytes are needed, and goes on where a broken line left off (tus 1.0's core).
const PATIENCE = [1, 2, 4, 8, 15, 30]; // seconds between tries; the last one for ever

export class Refused extends Error {} // the server's own words; trying again would not help

const pause = (seconds) => new Promise((done) => {
  const over = () => { clearTimeout(timer); removeEventListener("online", over); done(); };
  const timer = setTimeout(over, seconds * 1000);
  addEventListener("online", over);
});

function words(text, status) {
  try { return JSON.parse(text).error.message; } catch { return `The server answered ${status}.`; }
}

// Whether it is worth trying again: the line broke, or the server is busy, restarting, or still hears another sender.
const passing = (status) => status === 0 || status === 423 || status === 429 || status >= 500 && status !== 507;

async function offer(address, token, file, sha256) {
  const response = await fetch(address, {
    method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify([{ size: file.size, sha256 }]),
  });
  if (response.ok) return (await response.json())[0];
  if (passing(response.status)) throw new Error(words(await response.text(), response.status));
  throw new Refused(words(await response.text(), response.status));
}

function part(href, token, file, offset, tell, signal) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("PATCH", href);
    request.setRequestHeader("Content-Type", "application/offset+octet-stream");
    request.setRequestHeader("Upload-Offset", offset);
    request.setRequestHeader("X-CSRFToken", token); // the browser sends its session along
    request.upload.onprogress = (event) => tell(offset + event.loaded);
    request.onload = () => {
      if (request.status === 204) return done();
      const said = words(request.responseText, request.status);
      failed(request.status === 409 || passing(request.status) ? new Error(said) : new Refused(said));
    };
    request.onerror = request.ontimeout = () => failed(new Error("The line broke."));
    request.onabort = () => failed(new Refused("Removed."));
    signal.addEventListener("abort", () => request.abort());
    request.send(file.slice(offset));
  });
}

// Returns when the server has the file's bytes. tell(bytes safe or on their way), wait(words, seconds) while it is tried again.
export async function send({ address, token, file, sha256, tell, wait, signal }) {
  let tries = 0, furthest = 0;
  for (;;) {
    if (signal.aborted) throw new Refused("Removed.");
    try {
      const found = await offer(address, token, file, sha256);
      if (found.status === "stored") return "already there";
      if (found.offset > furthest) { furthest = found.offset; tries = 0; } // it goes on, however slowly
      tell(found.offset);
      await part(found.href, token, file, found.offset, tell, signal);
      return "sent";
    } catch (error) {
      if (error instanceof Refused) throw error;
      const seconds = PATIENCE[Math.min(tries++, PATIENCE.length - 1)];
      wait(error instanceof TypeError ? "The server cannot be reached." : error.message, seconds);
      await pause(seconds);
    }
  }
}
