"""``asteroid-karaoke serve``: a page where a song is dropped, and its voice pulled down.

Why Starlette, and a page written by hand. The heart of the page is two tracks on one clock, with a
level that acts while they play. Gradio, the other candidate, has no such player, so it would be
script of our own all the same, inside a page that is not. What is left is little: files up, JSON,
files down by range. So the server is Starlette on uvicorn (extra ``web``), which has all that, and
the page plain HTML, CSS and modules, with nothing from elsewhere and no build.

How a song goes through::

    upload, address ─ routes ─▶ jobs: a queue ─▶ work: fetch, files.separate_file ─▶ two stems
    player ◀─ ranges ─ playback: PCM ◀─┬─ render: key, tempo, level ◀────────────────────┘
    saved  ◀─────────────── a file   ◀─┘

Why the player gets PCM. A song that the browser decodes whole is 20 MB a minute for each track, and
an hour of it ends a phone's tab. Pieces of a compressed file do not join without a gap, since
encoders pad them. So both tracks stand side by side in one file of 16-bit PCM, of which the page
asks for ranges: memory does not grow with the song, play begins at once, every sample is where it
belongs, and one piece holds both tracks, which can not drift apart. That is 2.8 Mbit/s, little for
a machine that talks to itself or to a phone in the same house.
"""
