// A worker: answers the SHA-256 of a file, read piece by piece, and how far it is.
import { sha256 } from "../vendor/noble-hashes-2.4.0/sha2.js";

const PIECE = 4 * 1024 * 1024;

async function digest(file, tell) {
  const hasher = sha256.create();
  for (let start = 0; start < file.size; start += PIECE) {
    hasher.update(new Uint8Array(await file.slice(start, start + PIECE).arrayBuffer()));
    tell(Math.min(start + PIECE, file.size));
  }
  return Array.from(hasher.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

onmessage = async ({ data: { id, file } }) => {
  try {
    postMessage({ id, sha256: await digest(file, (done) => postMessage({ id, done })) });
  } catch (error) {
    postMessage({ id, error: String(error.message || error) });
  }
};
