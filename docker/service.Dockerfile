# The service: API, pages and scheduler. Workers run in containers of their own (worker.Dockerfile).
# Build from the root of the repository: docker build -f docker/service.Dockerfile -t fitwright-service .
FROM python:3.11-slim

# The default build of PyTorch brings CUDA along. To take the CPU build, pass the address of its index.
ARG PIP_EXTRA_INDEX_URL=""

WORKDIR /app
COPY pyproject.toml README.md ./
COPY fitwright fitwright
COPY service service
COPY search search
COPY methods methods
COPY hwmodels hwmodels
COPY db db
RUN pip install --no-cache-dir ".[postgres,demo]" \
    && useradd --uid 10001 --create-home fitwright \
    && install -d -o fitwright -g fitwright /data

USER fitwright
WORKDIR /data
ENV FITWRIGHT_HOME=/data FITWRIGHT_WORKERS=0
VOLUME /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8077/healthz', timeout=4)"]
CMD ["fitwright", "serve"]
