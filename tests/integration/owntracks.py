"""OwnTracks, whose messages of one topic are of several kinds: routes and maps for its places and its last will."""

ROUTES = """\
[route owntracks]
topic = owntracks/{user}/{device}
when = /_type = location
kind = device_status
[map owntracks]
status = 'online'
time = /tst | time unix_s
latitude = /lat
longitude = /lon
[route owntracks_lwt]
topic = owntracks/{user}/{device}
when = /_type = lwt
kind = device_status
[map owntracks_lwt]
status = 'offline'
"""
