/** What stands in the place of a secret. */
const REDACTED = Buffer.from('[redacted]');

/** Takes secrets out of a stream of bytes, wherever its chunks are cut. */
export interface Redactor {
  (chunk: Buffer): Buffer;
  /** What was held back because a secret might have begun there. */
  end(): Buffer;
}

/**
 * `br` does not print the secrets of its environment; should a version do so one day, they still end here.
 *
 * @param secrets texts that must not be passed on; those of fewer than 4 characters are left out, since they would
 *   take half of every line with them
 */
export function createRedactor(secrets: readonly string[]): Redactor {
  const hidden = secrets.filter((secret) => secret.length >= 4).map((secret) => Buffer.from(secret));
  let held: Buffer = Buffer.alloc(0);

  const redact = (chunk: Buffer): Buffer => {
    if (hidden.length === 0) return chunk;
    const all = replaceAll(held.length > 0 ? Buffer.concat([held, chunk]) : chunk, hidden);
    const keep = Math.max(...hidden.map((secret) => beginningAtEnd(all, secret)));
    held = all.subarray(all.length - keep);
    return all.subarray(0, all.length - keep);
  };
  return Object.assign(redact, {
    end() {
      const rest = held;
      held = Buffer.alloc(0);
      return rest;
    },
  });
}

/** A whole text without the secrets. */
export function redacted(text: string, secrets: readonly string[]): string {
  const redact = createRedactor(secrets);
  return Buffer.concat([redact(Buffer.from(text)), redact.end()]).toString();
}

function replaceAll(chunk: Buffer, secrets: readonly Buffer[]): Buffer {
  let text = chunk;
  for (const secret of secrets) {
    const parts: Buffer[] = [];
    let from = 0;
    for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, from)) {
      parts.push(text.subarray(from, at), REDACTED);
      from = at + secret.length;
    }
    if (from > 0) text = Buffer.concat([...parts, text.subarray(from)]);
  }
  return text;
}

/** How many bytes at the end of a chunk are the beginning of a secret. */
function beginningAtEnd(chunk: Buffer, secret: Buffer): number {
  for (let length = Math.min(secret.length - 1, chunk.length); length > 0; length -= 1)
    if (chunk.subarray(chunk.length - length).equals(secret.subarray(0, length))) return length;
  return 0;
}
