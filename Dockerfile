# Wheels only, no compiler: the same steps on x86-64 and arm64.
FROM python:3.13-slim AS packages
COPY requirements.txt /
RUN python3 -m venv --without-pip /venv \
 && python3 -m pip --python /venv/bin/python3 install --no-cache-dir --disable-pip-version-check --only-binary=:all: -r /requirements.txt

FROM python:3.13-slim
RUN groupadd --gid 10001 lmvp \
 && useradd --uid 10001 --gid lmvp --home-dir /data --no-create-home --shell /usr/sbin/nologin lmvp \
 && install -d -o lmvp -g lmvp /data
COPY --from=packages /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    LOG_FORMAT=json \
    LMVP_DATA_DIR=/data
WORKDIR /srv/lmvp
COPY . .
# The checkout's own umask must not keep user 10001 out.
RUN chmod -R a+rX . && python3 -m compileall -q .
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python3", "-I", "deploy/healthcheck.py"]
CMD ["python3", "manage.py", "serve"]
