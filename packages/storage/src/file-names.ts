/**
 * Names of files in a file system are bytes, and not always UTF-8. As a string, each byte that is not part of a
 * character is one of the surrogates U+DC80 to U+DCFF (as in Python's PEP 383), so that every name leads back to its file.
 */
import { isUtf8 } from 'node:buffer';

const ESCAPE = 0xdc00;
const FIRST_ESCAPED = 0xdc80;
const LAST_ESCAPED = 0xdcff;
const LONGEST_CHARACTER = 4;

/** The name of a file as a string. */
export function nameOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  let name = '';
  for (let at = 0; at < bytes.length; ) {
    const character = characterAt(bytes, at);
    name += character?.toString() ?? String.fromCharCode(ESCAPE + (bytes[at] ?? 0));
    at += character?.length ?? 1;
  }
  return name;
}

function characterAt(bytes: Buffer, at: number): Buffer | undefined {
  for (let length = 1; length <= LONGEST_CHARACTER && at + length <= bytes.length; length += 1) {
    const piece = bytes.subarray(at, at + length);
    if (isUtf8(piece)) return piece;
  }
  return undefined;
}

/** The path of a file as the file system wants it, of strings made by `nameOf`. */
export function pathOf(path: string): string | Buffer {
  if (path.isWellFormed()) return path;
  return Buffer.concat(
    Array.from(path, (character) => {
      const code = character.charCodeAt(0);
      const escaped = character.length === 1 && code >= FIRST_ESCAPED && code <= LAST_ESCAPED;
      return escaped ? Buffer.of(code - ESCAPE) : Buffer.from(character);
    }),
  );
}
