/**
 * When two worlds are alike: nothing that can happen in the one could not happen in the other, under other names. Tokens
 * and paths are named in the order in which they are found, instants by how far away they are, and workers have no names.
 * What nothing depends on any more (counts of rings, old attempts, revisions) is left out.
 */
import type { Backup } from '../../backup.ts';
import { isActive } from '../../backup.ts';
import { NEVER } from '../bin.ts';
import { pauseAfter, SPARED_MS } from '../hand-back.ts';
import { attemptOf, mayHoldFiles, ranWithoutLock, restedFrom } from '../vocabulary.ts';
import { documentOf, type End, filesIn, type Job, SILENCE_MS, SPAWN_MS, type Worker, type World } from './world.ts';

/** From then on a removal is tried once an hour. */
const MOST_TRIES = 6;

/** The same text for worlds that are alike. */
export function likenessOf(world: World): string {
  const [one, other] = world.workers;
  if (!one || !other) return describe(world, [0]);
  const [first, second] = [kindOf(one), kindOf(other)];
  if (first < second) return describe(world, [0, 1]);
  if (first > second) return describe(world, [1, 0]);
  const texts = [describe(world, [0, 1]), describe(world, [1, 0])];
  return texts.sort()[0] ?? '';
}

/** Tells most workers apart without naming anything. */
const kindOf = ({ mode, cut, away, job, records }: Worker): string =>
  `${mode}${cut}${away}${records.length}${job?.phase}${job?.kind}${job?.document}${job?.canceling}${job?.exit}${job?.end?.kind}`;

/** Names things by the order in which they are asked for. */
type Names = Map<string, number>;

function nameIn(names: Names, thing: string | undefined): number {
  if (thing === undefined) return 0;
  const known = names.get(thing);
  if (known !== undefined) return known;
  names.set(thing, names.size + 1);
  return names.size;
}

function describe(world: World, order: readonly number[]): string {
  const tokens: Names = new Map();
  const { faults, wishes, further, denied, moved, documents } = world;
  const known = documents.map((_, number) => wantedPaths(world, number));
  const path = (document: number, name: string) => (name === '' ? '' : known[document]?.indexOf(name));
  const parts: unknown[] = [faults, wishes, further, denied ? 1 : 0, moved?.copied];
  documents.forEach((backup) => {
    describeHandBacks(world, backup, order, parts);
  });
  documents.forEach((_, number) => {
    describeDocument(world, number, known[number] ?? [], tokens, parts);
  });
  for (const number of order) {
    const worker = world.workers[number];
    if (worker) describeWorker(world, worker, number, tokens, path, parts);
  }
  for (const { document, command } of world.late) {
    const { claim, fence, outcome } = { claim: undefined, fence: undefined, outcome: undefined, ...command };
    parts.push(
      'L',
      document,
      command.kind,
      nameIn(tokens, claim),
      isCurrent(world, document, fence),
      outcome && endOf(outcome),
    );
    if (outcome?.kind === 'removed')
      parts.push(
        outcome.paths.map((one) => path(document, one)),
        emptyOf(outcome),
      );
    if (command.kind === 'renew') parts.push(command.starting ? 1 : 0);
  }
  for (const [token, name] of tokens) parts.push('T', name, ...knownOf(world, token, path));
  return parts.join();
}

/** What documents remember of a token that somebody still may use. */
function knownOf({ documents }: World, token: string, path: (document: number, name: string) => unknown): unknown[] {
  for (const [number, backup] of documents.entries()) {
    const attempt = attemptOf(backup, token);
    if ((backup.handBacks ?? []).some(({ claim }) => claim === token)) return [number, 'H'];
    if (attempt) return [number, attempt.outcome, attempt.argv ? 1 : 0, path(number, attempt.path)];
  }
  return [];
}

const away = (world: World, instant: number | undefined): number =>
  instant === undefined ? -1 : instant >= NEVER.getTime() ? Infinity : Math.max(0, instant - world.now);

const isCurrent = (world: World, document: number, fence: number | undefined) =>
  fence === undefined ? '' : fence === documentOf(world, document).fence ? 1 : 0;

/** The paths that something may still depend on, the current one first. */
function wantedPaths(world: World, number: number): string[] {
  const { path, leftovers } = documentOf(world, number);
  const paths = new Set([path]);
  for (const leftover of leftovers) paths.add(leftover.path);
  for (const one in world.files)
    if (world.owners[one] === number && filesIn(world, one).holds !== 'nothing') paths.add(one);
  for (const run of world.runs) if (run.document === number) paths.add(run.path);
  for (const { job, records } of world.workers) {
    for (const record of records) if (record.document === number) paths.add(record.path);
    if (job?.document === number) for (const one of job.paths) paths.add(one);
  }
  return [...paths];
}

function describeDocument(
  world: World,
  number: number,
  paths: readonly string[],
  tokens: Names,
  parts: unknown[],
): void {
  const backup = documentOf(world, number);
  const { state, task, failures, losses, deletion, cancel, holds, deadline, slotKey } = backup;
  const attempt = attemptOf(backup, task?.claim);
  const stays = state === 'Succeeded' && (deletion.state === 'None' || deletion.state === 'Trashed');
  const rest = stays ? restedFrom(backup, world.limits).getTime() : 0;
  parts.push('D', state, world.bells[number] ? 1 : 0, world.promised[number] ? 1 : 0, failures, losses);
  parts.push(
    deletion.state,
    deletion.by?.kind,
    deletion.begun ? 1 : 0,
    away(world, deletion.trashUntil?.getTime()),
    cancel ? 1 : 0,
    holds.length,
    slotKey.startsWith('backup') ? 0 : 1,
  );
  parts.push(away(world, rest), isActive(backup) && deadline.getTime() < world.now ? 1 : 0);
  if (task) {
    const { kind, ringAt, notBefore, leaseUntil, tries, claim, started } = task;
    const reapable = leaseUntil && leaseUntil.getTime() + world.limits.reapMarginMs + 1;
    parts.push(
      kind,
      away(world, ringAt.getTime()),
      away(world, notBefore.getTime()),
      away(world, reapable),
      Math.min(tries, MOST_TRIES),
    );
    parts.push(nameIn(tokens, claim), started ? 1 : 0, attempt?.mayRun ? 1 : 0, attempt?.hasLock ? 1 : 0);
  }
  if (isActive(backup)) describeEnds(world, backup, parts);
  for (const path of paths) describePath(world, backup, path, parts);
}

/** Who is not asked now, and how long the next pause is. */
function describeHandBacks(world: World, { handBacks = [] }: Backup, order: readonly number[], parts: unknown[]): void {
  for (const number of order) {
    const told = handBacks.find(({ instance }) => instance === `w${number}`);
    if (told)
      parts.push('H', away(world, told.at.getTime() + SPARED_MS), pauseAfter(told.times, world.limits.handBackMs));
    else parts.push('');
  }
}

/** What of the attempts in the path decides how long its files will rest, should it become good. */
function describeEnds(world: World, { attempts, path }: Backup, parts: unknown[]): void {
  const ran = attempts.filter((one) => one.path === path && one.argv !== undefined);
  const ends = ran.map(({ endedAt }) => (endedAt?.getTime() ?? 0) + world.limits.quietMs);
  parts.push(ran.some(({ outcome }) => outcome === 'lost') ? 1 : 0, away(world, Math.max(0, ...ends)));
}

function describePath(world: World, backup: Backup, path: string, parts: unknown[]): void {
  const leftover = backup.leftovers.find((one) => one.path === path);
  const { holds, lockedUntil, endedBadly } = filesIn(world, path);
  const last = backup.attempts.filter((one) => one.path === path && one.argv !== undefined).at(-1);
  parts.push(
    'P',
    leftover ? away(world, leftover.after.getTime()) : '',
    leftover?.listedOnce ? 1 : 0,
    leftover?.untouched ? 1 : 0,
    world.moved && leftover?.announcedAt && leftover.announcedAt > world.moved.at ? 1 : 0,
  );
  parts.push(mayHoldFiles(backup, path) ? 1 : 0, ranWithoutLock(backup, path) ? 1 : 0);
  parts.push(last?.outcome === undefined ? '' : last.outcome === 'lost' ? 0 : 1);
  parts.push(holds, away(world, lockedUntil), endedBadly === 0 ? 0 : away(world, endedBadly + world.limits.quietMs));
}

function describeWorker(
  world: World,
  { mode, cut, away: unreached, unheardSince, job, records }: Worker,
  number: number,
  tokens: Names,
  path: (document: number, name: string) => unknown,
  parts: unknown[],
): void {
  const unheard = mode === 'up' && !cut ? '' : Math.max(0, unheardSince + SILENCE_MS - world.now);
  parts.push('W', mode, cut ? 1 : 0, unreached ? 1 : 0, job || mode !== 'up' ? unheard : '');
  if (job) describeJob(world, job, tokens, path, parts);
  for (const { document, claim, fence, path: written, stray } of records)
    parts.push('R', document, nameIn(tokens, claim), isCurrent(world, document, fence), path(document, written), stray);
  for (const run of world.runs.filter((one) => one.worker === number)) {
    const { document, claim, spoiled, until, exempt } = run;
    parts.push('B', document, path(document, run.path), nameIn(tokens, claim), spoiled, away(world, until), exempt);
  }
}

function describeJob(
  world: World,
  job: Job,
  tokens: Names,
  path: (document: number, name: string) => unknown,
  parts: unknown[],
): void {
  const { document, claim, phase, kind, fence, paths, mayRun, previousEnded, canceling, sentAt, exit, end } = job;
  parts.push(document, nameIn(tokens, claim), phase, kind, isCurrent(world, document, fence), path(document, job.path));
  parts.push(paths.map((one) => path(document, one)).join('+'), mayRun, previousEnded, canceling, exit, endOf(end));
  parts.push(phase === 'started' ? away(world, sentAt + SPAWN_MS + 1) : '');
}

const emptyOf = ({ paths, empty = [] }: Extract<End, { kind: 'removed' }>) =>
  paths.map((path) => (empty.includes(path) ? 1 : 0)).join('');

function endOf(end: End | undefined): string {
  if (!end) return '';
  if (end.kind === 'succeeded') return `${end.kind}${end.exitSeen ?? ''}`;
  if (end.kind === 'removed') return `removed${emptyOf(end)}`;
  return end.kind === 'wait' ? `wait${end.waitMs}` : 'reason' in end ? `${end.kind}:${end.reason.code}` : end.kind;
}
