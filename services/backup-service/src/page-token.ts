import { createHash } from 'node:crypto';
import { MAX_PAGE_TOKEN } from '@tidemark/limits/limits';
import type { BackupFilter } from './backup-filter.ts';
import type { Position } from './backup-pages.ts';

const TOKEN = /^b1 (\d{1,15}) (\d{1,15}) ([A-Za-z0-9_-]{0,64}) ([A-Za-z0-9_-]{11})$/;
/** The end of the year 9999: no database keeps a later time, so no backup has one. */
const LAST_INSTANT_MS = 253_402_300_799_999;
/** Tells by mistake wrong tokens from right ones; nobody is kept from anything by it. */
const DIGEST_CHARACTERS = 11;

/** A position as callers are given it, for this selection alone. */
export function toPageToken(position: Position, filter: BackupFilter): string {
  const { before, at, id } = position;
  return Buffer.from(`b1 ${before} ${+at} ${id} ${digestOf(position, filter)}`).toString('base64url');
}

/** The position of a token; undefined where it is none, was cut, or is of another selection. */
export function readPageToken(token: string, filter: BackupFilter): Position | undefined {
  if (token.length > MAX_PAGE_TOKEN) return undefined;
  const text = Buffer.from(token, 'base64url');
  const [, before, at, id, digest] = TOKEN.exec(text.toString()) ?? [];
  if (id === undefined || Number(at) > LAST_INSTANT_MS || text.toString('base64url') !== token) return undefined;
  const position = { before: Number(before), at: new Date(Number(at)), id };
  return digest === digestOf(position, filter) ? position : undefined;
}

function digestOf({ before, at, id }: Position, filter: BackupFilter): string {
  const { clusterIds, startedAtOrAfter, endedAtOrBefore, states, mode, origin, rule, includeDeleted } = filter;
  const selection = [
    ...[[...new Set(clusterIds)].sort(), filter.id ?? null, startedAtOrAfter ?? null, endedAtOrBefore ?? null],
    ...[[...states].sort(), mode ?? null, origin ?? null, rule ?? null, includeDeleted],
  ];
  const text = JSON.stringify([before, +at, id, selection]);
  return createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_CHARACTERS);
}
