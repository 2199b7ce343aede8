# The command line and the studio, with the embedded model.
#
#     docker build -t photochrom .
#     docker run --rm -v "$PWD:/photos" photochrom photo old.jpg
#     docker run --rm -p 127.0.0.1:7860:7860 photochrom studio --host 0.0.0.0 --no-open
FROM python:3.12-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /opt/photochrom && /opt/photochrom/bin/pip install --no-cache-dir '.[heif,studio]'

FROM python:3.12-slim
COPY --from=build /opt/photochrom /opt/photochrom
RUN useradd --create-home --uid 1000 photochrom && mkdir /photos && chown photochrom /photos
USER photochrom
ENV PATH=/opt/photochrom/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /photos
EXPOSE 7860
ENTRYPOINT ["photochrom"]
CMD ["--help"]
