/**
 * When two worlds are alike: nothing that can happen in the one could not happen in the other, under other names. Tokens are named in
 * the order in which they are found, instants by how far away they are, workers have no names; what nothing depends on any more is
 * left out.
 */
import { leftAsItWas } from '@tidemark/br-restore/end';
import { isActive, isOver, type Restore } from '../../restore.ts';

import { type Job, type RunRecord, SILENCE_MS, SPAWN_MS, truthOf, type Worker, type World } from './world.ts';

/** The same text for worlds that are alike. */
export function likenessOf(world: World): string {
  const [one, other] = world.workers;
  if (!one || !other || world.setting.versions) return describe(world, [...world.workers.keys()]);
  const [first, second] = [kindOf(one), kindOf(other)];
  if (first < second) return describe(world, [0, 1]);
  if (first > second) return describe(world, [1, 0]);
  const texts = [describe(world, [0, 1]), describe(world, [1, 0])];
  return texts.sort()[0] ?? '';
}

/** Tells most workers apart without naming anything. */
const kindOf = ({ mode, job, record }: Worker): string =>
  `${mode}${job?.phase}${job?.document}${job?.canceling}${job?.draining}${job?.end?.kind}${record?.document}${record?.late}${record?.end?.kind}`;

type NameOf = (token: string | undefined) => number;

function describe(world: World, order: readonly number[]): string {
  const tokens = new Map<string, number>();
  const nameOf: NameOf = (token) => {
    if (token === undefined) return 0;
    if (!tokens.has(token)) tokens.set(token, tokens.size + 1);
    return tokens.get(token) ?? 0;
  };
  const living = tokensIn(world);
  const parts: unknown[] = [
    world.faults,
    world.backup,
    world.twin,
    world.exempted ? 1 : 0,
    world.source.deletion.state,
    world.log.wanted,
    world.log.observed.state,
  ];
  const { data, by, checkpoint, users } = world.target;
  parts.push(data, data === 'none' ? '' : by, checkpoint?.by, checkpoint?.version, users ? 1 : 0);
  world.documents.forEach((restore, number) => {
    describeDocument(world, restore, number, living, nameOf, parts);
  });
  for (const number of order) {
    const worker = world.workers[number];
    if (worker) describeWorker(world, worker, number, nameOf, parts);
  }
  const copies = world.copies.map(({ step, document }) => `${step}${document}`).sort();
  parts.push('C', ...copies);
  for (const { document, command } of world.late) {
    const { claim, fence, end, callId } = {
      claim: undefined,
      fence: undefined,
      end: undefined,
      callId: '',
      ...command,
    };
    parts.push('L', document, command.kind, nameOf(claim), isCurrent(world, document, fence), end?.kind, callId);
    if (command.kind === 'renew') parts.push(command.starting ? 1 : 0);
  }
  return parts.join();
}

/** Tokens under which somebody may still speak. */
function tokensIn({ documents, workers, late }: World): ReadonlySet<string> {
  const tokens = new Set<string>();
  for (const { task } of documents) if (task?.claim) tokens.add(task.claim);
  for (const { job, record } of workers) {
    if (job) tokens.add(job.claim);
    if (record) tokens.add(record.claim);
  }
  for (const { command } of late) if ('claim' in command) tokens.add(command.claim);
  return tokens;
}

const away = ({ now }: World, instant: number | undefined): number =>
  instant === undefined ? -1 : Math.max(0, instant - now);

const isCurrent = ({ documents }: World, document: number, fence: number | undefined) =>
  fence === undefined ? '' : fence === documents[document]?.fence ? 1 : 0;

function describeDocument(
  world: World,
  restore: Restore,
  number: number,
  living: ReadonlySet<string>,
  nameOf: NameOf,
  parts: unknown[],
): void {
  const { state, targetState, task, held, needsCleaning } = restore;
  const id = `restore:${restore._id}`;
  const { wrote, proven, lastEnd, wanted } = truthOf(world, number);
  parts.push('D', state, targetState, held ? 1 : 0, needsCleaning ? 1 : 0, world.bells[number] ? 1 : 0, wanted);
  parts.push(
    world.source.holds.includes(id) ? 1 : 0,
    world.source.unheld?.includes(id) ? 1 : 0,
    world.log.block === restore._id ? 1 : 0,
    world.log.givenBack?.includes(restore._id) ? 1 : 0,
    wrote ? 1 : 0,
    proven ? 1 : 0,
  );
  parts.push(restore.cancels.length, restore.cancels.some(({ current }) => current) ? 1 : 0, restore.resumes.length);
  if (!isOver(restore)) {
    const { needsConfirm, outcomeUnknown, spoilt, resumable, brVersion, hasCheckpoint, resumesLeft, quietUntil } =
      restore;
    parts.push([needsConfirm, outcomeUnknown, spoilt, resumable].map(Number).join(''), brVersion, hasCheckpoint);
    parts.push(resumesLeft, away(world, quietUntil?.getTime()), away(world, lastEnd + world.limits.restMs));
    parts.push(away(world, (restore.lastBrEnd?.getTime() ?? 0) + world.limits.restMs));
    parts.push(isActive(restore) && restore.deadline.getTime() < world.now ? 1 : 0);
    describeAttempts(restore, living, nameOf, parts);
  }
  if (!task) return;
  const reapable = task.leaseUntil && task.leaseUntil.getTime() + world.limits.reapMarginMs + 1;
  parts.push(task.kind, away(world, task.ringAt.getTime()), away(world, task.notBefore.getTime()));
  parts.push(away(world, reapable), nameOf(task.claim));
}

/** Of old attempts only what decides about ends that become known late. */
function describeAttempts(
  { attempts, resumes }: Restore,
  living: ReadonlySet<string>,
  nameOf: NameOf,
  parts: unknown[],
): void {
  const doubted = attempts.some(
    ({ starting, outcome, end }) => starting && outcome === 'lost' && (end === null || end.kind === 'dirty'),
  );
  const words: string[] = [];
  attempts.forEach(({ claim, starting, wasPartial, outcome, end }, number) => {
    const isLiving = living.has(claim);
    const touched = starting !== null && !(end && leftAsItWas(end.kind));
    if (!isLiving && !touched) return;
    const resumed = resumes.some((resume) => resume.attempts > number);
    const succeeded = end?.kind === 'succeeded' ? 'S' : '';
    const word = isLiving
      ? `${nameOf(claim)}${starting ? 's' : ''}${wasPartial ? 'p' : ''}${outcome ?? ''}${end?.kind ?? ''}${resumed ? 'r' : ''}`
      : `t${succeeded}${resumed ? 'r' : ''}`;
    // What touched the target after another that nobody speaks for any more says nothing new.
    if (!isLiving && words.at(-1)?.startsWith('t')) words.pop();
    words.push(word);
  });
  parts.push('A', doubted ? 1 : 0, words.join('/'));
}

function describeWorker(
  world: World,
  { mode, unheardSince, job, record }: Worker,
  number: number,
  nameOf: NameOf,
  parts: unknown[],
): void {
  parts.push('W', mode, mode === 'up' || mode === 'down' ? '' : Math.max(0, unheardSince + SILENCE_MS - world.now));
  if (job) describeJob(world, job, nameOf, parts);
  if (record) describeRecord(record, nameOf, parts);
  for (const { document, claim, phase, until, exempt } of world.runs.filter((run) => run.worker === number))
    parts.push('B', document, nameOf(claim), phase, away(world, until), exempt ? 1 : 0);
}

function describeJob(world: World, job: Job, nameOf: NameOf, parts: unknown[]): void {
  const { document, claim, phase, fence, canceling, draining, sentAt, end, givesBack } = job;
  parts.push(
    'J',
    document,
    nameOf(claim),
    phase,
    isCurrent(world, document, fence),
    canceling ? 1 : 0,
    draining ? 1 : 0,
  );
  parts.push(phase === 'started' ? away(world, sentAt + SPAWN_MS + 1) : '', end?.kind, end?.checkpointLeft, givesBack);
}

function describeRecord({ document, claim, end, late }: RunRecord, nameOf: NameOf, parts: unknown[]): void {
  parts.push('R', document, nameOf(claim), end?.kind, end?.checkpointLeft, late ? 1 : 0);
}
