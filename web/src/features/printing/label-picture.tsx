import { useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { drawLabel, type LabelShape } from "@/lib/label/picture";
import { explain } from "@/lib/messages";
import { cx } from "@/ui/cx";

/** A label as the printer would draw it; fonts are look-alikes, codes are exact. */
export function LabelPicture(props: LabelShape & { label: string; className?: string }) {
  const { zpl, widthMm, heightMm, dpi, label, className } = props;
  const { t } = useLingui();
  const picture = useQuery({
    queryKey: ["label-picture", zpl, widthMm, heightMm, dpi],
    queryFn: () => drawLabel({ zpl, widthMm, heightMm, dpi }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    placeholderData: (old) => old,
  });
  const png = picture.data?.pictures[0];
  return (
    <figure className={cx("flex flex-col gap-1", className)}>
      <div
        className="flex w-full items-center justify-center overflow-hidden rounded-lg border border-edge bg-white text-black"
        style={{ aspectRatio: `${widthMm} / ${heightMm}` }}
      >
        {png ? (
          <img src={`data:image/png;base64,${png}`} alt={label} className="size-full object-contain" />
        ) : (
          <span className="p-4 text-center text-sm">
            {picture.error ? explain(picture.error) : t`Drawing the label …`}
          </span>
        )}
      </div>
      <figcaption className="text-sm text-soft">
        {widthMm} × {heightMm} mm, {dpi} dpi
      </figcaption>
    </figure>
  );
}
