"""What a scanner reads in a picture of a label."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass

import zxingcpp
from PIL import Image

_SYMBOLOGIES = {
    zxingcpp.BarcodeFormat.Code128: "code128",
    zxingcpp.BarcodeFormat.QRCode: "qr",
    zxingcpp.BarcodeFormat.DataMatrix: "datamatrix",
}


@dataclass(frozen=True)
class Code:
    """One code: `symbology` is code128, qr or datamatrix, as templates call them."""

    symbology: str
    text: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def read_codes(png: bytes) -> list[Code]:
    """All Code 128, QR and DataMatrix codes in a PNG, any order; text as UTF-8."""
    with Image.open(io.BytesIO(png)) as image:
        found = zxingcpp.read_barcodes(image.convert("L"))
    return [Code(_SYMBOLOGIES.get(code.format, str(code.format)), _text(code)) for code in found]


def _text(code: zxingcpp.Barcode) -> str:
    """Scanners pass bytes on; guesses about another character set than UTF-8 are not asked for."""
    try:
        return bytes(code.bytes).decode()
    except UnicodeDecodeError:
        return str(code.text)
