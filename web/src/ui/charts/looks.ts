/** How a part of a chart is drawn: a colour and a pattern, so that it is told apart without the colour. */
export type Look =
  | "run"
  | "good"
  | "setup"
  | "stop"
  | "unknown"
  | "micro"
  | "pending"
  | "speed"
  | "quality"
  | "planned"
  | "silent"
  | "none";

/** What an SVG shape takes to look like it; the patterns have to be on the page (ChartPatterns). */
export const drawn = (look: Look): { fill: string } => ({ fill: `url(#look-${look})` });
