/** `2026-01-31`, which begins in UTC, or `2026-01-31T18:00:00Z`, in milliseconds since 1970; NaN where it is neither. */
export function readDate(text: string): number {
  const date = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  const isIso = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(date);
  return isIso ? Date.parse(date) : Number.NaN;
}
