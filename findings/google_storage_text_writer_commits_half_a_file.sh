#!/usr/bin/env bash
# google-cloud-storage: a `with blob.open("w")` that ends in an error puts what was written so far over
# the old object; with "wb" the same block leaves the old object as it was.
#
# Seen with google-cloud-storage 3.17.1, Python 3.11, against a small server on 127.0.0.1 that speaks the
# resumable upload: an object of 1,000 rows is written anew, and the program fails after row 600.
#   blob.open("wb")  upload left unfinished; the object: 1000 old rows
#   blob.open("w")   upload completed; the object: 600 new rows
# Both hand the program's own error to the caller. Since 3.0 a BlobWriter gives its upload up when its
# block ends in an exception. Text mode is an io.TextIOWrapper around one, and the wrapper ends a block
# with close(), whatever happened: the upload is completed, with a right checksum.
#
# What we expected: the same end for both modes; an object is there whole or not at all, which is why
# readers of a bucket look for no marker of completeness. In fact the good table is replaced by half
# of one that every check calls sound (versioning of the bucket keeps the old one). Write bytes, or
# write a file first and upload that (Chorus uploads with upload_from_file).
# Run: bash findings/google_storage_text_writer_commits_half_a_file.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'google-cloud-storage==3.17.1'
"$work/venv/bin/python" - <<'PY'
import base64
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import google_crc32c
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

ROW = "{:06} " + "a word " * 140 + "\n"
OLD = "".join(ROW.format(n) for n in range(1000)).replace("word", "term").encode()
objects, uploads, ends = {}, {}, {}


class Bucket(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def reply(self, status, fields=None, **headers):
        said = b"" if fields is None else json.dumps(fields).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(said)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def do_POST(self):
        name = json.loads(self.body())["name"]
        uploads[name] = b""
        self.reply(200, {}, location=f"http://{self.headers['host']}/upload/{name}")

    def do_PUT(self):
        name = self.path.rpartition("/")[2]
        uploads[name] += self.body()
        if self.headers["content-range"].endswith("/*"):
            self.reply(308, range=f"bytes=0-{len(uploads[name]) - 1}")
            return
        objects[name] = whole = uploads.pop(name)
        ends[name] = "upload completed"
        checksum = base64.b64encode(google_crc32c.Checksum(whole).digest()).decode()
        self.reply(200, {"name": name, "size": str(len(whole)), "crc32c": checksum})

    def do_DELETE(self):
        # 3.17.1 asks the address where uploads begin for it, not the upload's own
        known = uploads.pop(self.path.rpartition("/")[2], None) is not None
        self.reply(499 if known else 404)


server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = storage.Client(
    project="study",
    credentials=AnonymousCredentials(),
    client_options={"api_endpoint": f"http://127.0.0.1:{server.server_port}"},
)
bucket = client.bucket("answers")
print("google-cloud-storage", storage.__version__)
seen = {}
for mode in ("wb", "w"):
    name = f"table-{mode}"
    objects[name] = OLD
    try:
        with bucket.blob(name).open(mode, chunk_size=256 * 1024) as file:
            for number in range(600):
                row = ROW.format(number)
                file.write(row if mode == "w" else row.encode())
            raise TimeoutError("the next row did not come")
    except TimeoutError as error:
        raised = str(error)
    rows = objects[name].count(b"\n")
    age = "old" if b"term" in objects[name] else "new"
    seen[mode] = ends.get(name, "upload left unfinished"), rows, age
    print(f'blob.open("{mode}")', *seen[mode], "rows; raised:", raised)
if seen["wb"] != ("upload left unfinished", 1000, "old"):
    sys.exit("changed: a binary writer that ends in an error completes its upload")
if seen["w"] != ("upload completed", 600, "new"):
    sys.exit("changed: a text writer that ends in an error does not complete its upload any more")
PY
