# A worker: claims tasks from the database of a service and works on them. Run as many as there are cores to spare.
# Build from the root of the repository: docker build -f docker/worker.Dockerfile -t fitwright-worker .
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
ENV FITWRIGHT_HOME=/data
VOLUME /data
CMD ["fitwright", "worker"]
