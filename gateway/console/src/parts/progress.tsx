/** How far something is, of 100. Without a number it is at work, and nobody knows how far. */
export function Meter({ percent, of }: { readonly percent: number | undefined; readonly of: string }) {
  const known = percent !== undefined && percent > 0;
  return (
    <span class="meter">
      <progress max={100} value={known ? percent : undefined} aria-label={`Progress of ${of}`} />
      {known && <span>{percent.toFixed(0)} %</span>}
    </span>
  );
}
