import { encode } from "uqr";
import { code128 } from "@/lib/code128";
import { cx } from "./cx";

/** A QR code, dark on white in both themes: scanners need it so. */
export function QrCode({ text, label, className }: { text: string; label: string; className?: string }) {
  const { data, size } = encode(text, { border: 2 });
  const path = data.flatMap((row, y) => row.map((on, x) => (on ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${size} ${size}`}
      className={cx("bg-white", className)}
      shapeRendering="crispEdges"
    >
      <path d={path} fill="#000" />
    </svg>
  );
}

/** A Code 128 bar code (letters, digits and signs of ASCII). */
export function BarCode({ text, label, className }: { text: string; label: string; className?: string }) {
  const bars = code128(text);
  const width = bars.reduce((sum, bar) => sum + bar, 0) + 20;
  let x = 10;
  const path = bars.map((bar, index) => {
    const part = index % 2 === 0 ? `M${x} 0h${bar}v40h-${bar}z` : "";
    x += bar;
    return part;
  });
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${width} 40`}
      preserveAspectRatio="none"
      className={cx("bg-white", className)}
      shapeRendering="crispEdges"
    >
      <path d={path.join("")} fill="#000" />
    </svg>
  );
}
