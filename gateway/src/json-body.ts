/** Bodies as existing clients send them, and nothing in them that means two things. */

import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_DEPTH, MAX_QUOTED_NAME } from '@tidemark/limits/limits';
import type { FastifyInstance } from 'fastify';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Existing clients send JSON under any content type, on any method, or an empty body: an empty body is an empty object. */
export function readAnyJson(app: FastifyInstance): void {
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    const coding = request.headers['content-encoding'];
    if (coding !== undefined && coding !== '' && coding.toLowerCase() !== 'identity')
      return done(badBody('must not be compressed'));
    let text: string;
    try {
      text = decodeJson(body as Buffer);
    } catch (error) {
      return done(error as AppError);
    }
    if (text.trim() === '') return done(null, {});
    void parseJson(request, text, (error, value: unknown) => {
      // What the parser says would put pieces of the body into the log.
      if (error)
        return done(badBody(isJson(text) ? 'must not set __proto__ or constructor.prototype' : 'must be JSON'));
      const trouble = findTrouble(text) ?? (typeof value === 'object' ? findBadText(value) : undefined);
      if (trouble) done(invalidArgument([trouble]));
      else done(null, value);
    });
  });
}

/**
 * The text of bytes that should be JSON.
 *
 * @throws AppError `invalid_argument` for what is no UTF-8, and for too much nesting: before it is parsed, since a parser
 * is busy for a tenth of a second with one MiB of brackets
 */
export function decodeJson(bytes: Uint8Array): string {
  if (isTooDeep(bytes)) throw badBody(`must not be nested over ${MAX_DEPTH} deep`);
  try {
    return decoder.decode(bytes);
  } catch {
    throw badBody('must be UTF-8');
  }
}

const [QUOTE, BACKSLASH, BRACKET, BRACE, END_OF_BRACKET, END_OF_BRACE] = Buffer.from('"\\[{]}');

/** Whether it is nested too deeply; what is no JSON is looked at up to where a parser gives up. */
function isTooDeep(bytes: Uint8Array): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) inText = !inText;
    else if (inText) at += byte === BACKSLASH ? 1 : 0;
    else if (byte === END_OF_BRACKET || byte === END_OF_BRACE) depth -= 1;
    else if (byte === BRACKET || byte === BRACE) depth += 1;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function badBody(description: string): AppError {
  return new AppError('invalid_argument', `The body ${description}.`, { fields: [{ field: 'body', description }] });
}

interface Trouble {
  readonly field: string;
  readonly description: string;
}

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g;

/** A name that comes twice in one object; in a text that is known to be JSON. */
function findTrouble(text: string): Trouble | undefined {
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : undefined);
    else if (token === '}' || token === ']') open.pop();
    if (token === ':') {
      const name = JSON.parse(last) as string;
      const names = open.at(-1);
      if (names?.has(name)) return { field: shown(name), description: 'must be set once, not twice' };
      names?.add(name);
    }
    last = token;
  }
  return undefined;
}

/** A text that no database and no file system keeps as it is: with a NUL, or with half a character. */
function findBadText(body: unknown): Trouble | undefined {
  const waiting: [path: string, value: unknown][] = [['', body]];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [path, value] = next;
    const field = path || 'body';
    if (typeof value === 'string' && isBad(value))
      return { field, description: 'must be text without NUL and halves of characters' };
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, inner] of Object.entries(value)) {
      if (isBad(name)) return { field, description: 'must have names without NUL and halves of characters' };
      if (typeof inner === 'string' || typeof inner === 'object')
        waiting.push([path === '' ? shown(name) : `${path}.${shown(name)}`, inner]);
    }
  }
  return undefined;
}

function isBad(text: string): boolean {
  return text.includes('\0') || !text.isWellFormed();
}

function shown(name: string): string {
  return name.slice(0, MAX_QUOTED_NAME).toWellFormed() || 'body';
}
