"""Everything between files on disk and batches of frames."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "VideoSplit": "hvp.data.dataset",
        "make_dataset": "hvp.data.dataset",
        "open_source": "hvp.data.sources",
        "read_video": "hvp.data.video_io",
        "write_gif": "hvp.data.video_io",
        "write_mp4": "hvp.data.video_io",
    },
    submodules=(
        "archives",
        "arrays",
        "clips",
        "containers",
        "dataset",
        "digits",
        "downloads",
        "frame_cache",
        "masks",
        "prepare",
        "raw_frames",
        "records",
        "sources",
        "video_io",
    ),
)
