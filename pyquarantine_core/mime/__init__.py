"""MIME over raw bytes (RFC 2045, 2046, 2183, 2231): find, read and edit the parts of a message.

Mail is never parsed and written again. `structure` scans its bytes and says where everything is;
`text` reads and edits the text of a part; `edit` splices new content into the bytes, so that all
others stay as they are. No input makes the scan or the reading fail, or take more than linear time.

* `fields`: header values with parameters,
* `structure`: the tree of parts, with offsets,
* `doubts`: what of it mail clients read in different ways,
* `reading`: the parts of a message, and the data in them,
* `protection`: which of them are signed or encrypted,
* `content`: transfer encodings,
* `text`: the text of a part,
* `entities`: new parts,
* `edit`: edits, put together and recorded on a message.
"""
