# A MongoDB-protocol server for the compose test, from wheels that lie beside.
ARG BASE
FROM ${BASE}
COPY deploy/wheelhouse-mongo /wheels/
RUN python3 -m venv /opt/mongo && \
    /opt/mongo/bin/pip install -q --no-index --find-links /wheels secantusdb && rm -rf /wheels
COPY tests/compose/ping.py /opt/ping.py
RUN install -d -o 999 -g 999 /data/db
ENV PATH=/opt/mongo/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER 999:999
VOLUME /data/db
CMD ["secantusd-py", "--host", "0.0.0.0", "--port", "27017", "--storage-path", "/data/db", "--log-level", "WARNING"]
