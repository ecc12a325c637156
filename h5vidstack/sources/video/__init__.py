"""Frames and packets from video files, by PyAV.

`video_source` decodes the frames, and sees that none is missing or damaged. `streams` chooses the
stream of a file, and `raw_streams` checks whether the file is a video at all. `pixel_formats` says
where the samples of a decoded picture are. `packet_record` keeps what became of each packet, and
`ffmpeg_log` collects the errors that FFmpeg only logs. `packets` gives the packets of H.264 as they
are, so that a stack can hold copies.
"""
