/** Where a list goes on, as callers are given it. */
import { createHash } from 'node:crypto';
import { MAX_PAGE_TOKEN } from '@tidemark/limits/limits';
import { LAST_INSTANT, type Position } from './selection.ts';

const TOKEN = /^([a-z]\d) (\d{1,15}) (\d{1,15}) (\d{1,9}) ([\w:.-]{0,200}) ([A-Za-z0-9_-]{11})$/;
/** Tells by mistake wrong tokens from right ones; nobody is kept from anything by it. */
const DIGEST_CHARACTERS = 11;

/** What a token is for, and for nothing else. */
export interface TokenScope {
  /** A letter and the version of its tokens. */
  readonly list: string;
  /** What narrows the list, in an order of its own. */
  readonly filters: readonly unknown[];
}

export function toPageToken(position: Position, scope: TokenScope): string {
  const { before, at, id, span = 0 } = position;
  return Buffer.from(`${scope.list} ${before} ${+at} ${span} ${id} ${digestOf(position, scope)}`).toString('base64url');
}

/** The position of a token; undefined where it is none, was cut, or is of another list. */
export function readPageToken(token: string, scope: TokenScope): Position | undefined {
  if (token.length > MAX_PAGE_TOKEN) return undefined;
  const text = Buffer.from(token, 'base64url');
  const [, list, before, at, span, id, digest] = TOKEN.exec(text.toString()) ?? [];
  if (id === undefined || list !== scope.list || Number(at) > LAST_INSTANT) return undefined;
  if (text.toString('base64url') !== token) return undefined;
  const position = { before: Number(before), at: new Date(Number(at)), id, span: Number(span) };
  return digest === digestOf(position, scope) ? position : undefined;
}

function digestOf({ before, at, id, span = 0 }: Position, { filters }: TokenScope): string {
  const text = JSON.stringify([before, +at, id, span, filters]);
  return createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_CHARACTERS);
}
