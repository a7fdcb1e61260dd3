/**
 * What holds in every state that can be reached, whatever goes wrong. Each invariant is a function with the sentence that
 * is told when it does not hold.
 */
import { type Backup, isActive, isTrashed } from '../../backup.ts';
import { Violation } from '../../testing/exploration.ts';
import { NEVER } from '../bin.ts';
import type { Answer, Command } from '../command.ts';
import { attemptOf, clusterKey, ownKey } from '../vocabulary.ts';
import { documentOf, filesIn, type Job, peersIn, type Run, UNREACHED, type World, workerOf } from './world.ts';

/** What a command did to a document. */
export interface Change {
  readonly world: World;
  readonly number: number;
  readonly command: Command;
  readonly before: Backup;
  readonly after: Backup;
  readonly answer: Answer;
}

type Sentence = string;

const goodStays = ({ state, deletion }: Backup) => state === 'Succeeded' && deletion.state === 'None';
const paths = ({ leftovers }: Backup) => leftovers.map(({ path }) => path);

// --- a document by itself

const occupiesItsClusterWhileActive = (backup: Backup) =>
  backup.activeKey === (isActive(backup) ? clusterKey(backup.clusterId) : ownKey(backup));

const occupiesASlotOnlyWhileRunning = (backup: Backup) =>
  backup.state === 'Running' || backup.state === 'Canceling' || backup.slotKey === ownKey(backup);

const hasItsTaskWhileActive = (backup: Backup) => isActive(backup) === (backup.task?.kind === 'backup');

const isRemovedWhileSomethingIsLeft = (backup: Backup) =>
  isActive(backup) || (backup.task?.kind === 'remove') === backup.leftovers.length > 0;

const isLookedAtAgain = ({ task }: Backup) =>
  task === null || (task.ringAt.getTime() > 0 && task.notBefore.getTime() > 0);

const isUnownedWhileQueued = ({ state, task }: Backup) =>
  state !== 'Queued' || !(task?.claim || task?.worker || task?.leaseUntil || task?.started);

const isOwnedWhileRunning = ({ state, task }: Backup) =>
  (state !== 'Running' && state !== 'Canceling') || !!(task?.claim && task.worker && task.leaseUntil);

const neverWritesToWhatItLeft = (backup: Backup) =>
  !(isActive(backup) || goodStays(backup)) || !paths(backup).includes(backup.path);

const listsALeftoverOnce = (backup: Backup) => new Set(paths(backup)).size === backup.leftovers.length;

const opensOneAttemptForAClaim = ({ attempts }: Backup) =>
  new Set(attempts.map(({ claim }) => claim)).size === attempts.length;

const isDeletedOnceNothingIsLeft = ({ task, deletion }: Backup) =>
  task !== null || ['None', 'Deleted', 'Forgotten'].includes(deletion.state);

const isLeftAloneOnceForgotten = ({ task, leftovers, deletion }: Backup) =>
  deletion.state !== 'Forgotten' || (task === null && leftovers.length === 0);

const isHeldOnlyWhileGood = (backup: Backup) => backup.holds.length === 0 || goodStays(backup) || isTrashed(backup);

const isLeftAloneInTheBin = (backup: Backup) => {
  const { state, leftovers, path, deletion } = backup;
  const own = leftovers.find((leftover) => leftover.path === path);
  const isNobodys = own?.after.getTime() === NEVER.getTime() && own.untouched === true;
  return isTrashed(backup)
    ? state === 'Succeeded' && isNobodys && deletion.trashUntil !== undefined
    : !deletion.trashUntil;
};

const wasCanceledIfItSaysSo = ({ state, cancel }: Backup) =>
  (state !== 'Canceled' && state !== 'Canceling') || cancel !== null;

/** Of one document, without the world around it. */
export const OF_A_DOCUMENT: ReadonlyMap<Sentence, (backup: Backup) => boolean> = new Map([
  ['activeKey is the cluster exactly while Queued, Running or Canceling', occupiesItsClusterWhileActive],
  ['slotKey is a slot only while Running or Canceling', occupiesASlotOnlyWhileRunning],
  ['active and having a task `backup` are the same', hasItsTaskWhileActive],
  ['once finished, having a task `remove` and having leftovers are the same', isRemovedWhileSomethingIsLeft],
  ['a task always has ringAt and notBefore', isLookedAtAgain],
  ['Queued is unowned', isUnownedWhileQueued],
  ['Running and Canceling are owned', isOwnedWhileRunning],
  ['the path is not among the leftovers while it is wanted', neverWritesToWhatItLeft],
  ['a path is in leftovers once', listsALeftoverOnce],
  ['a claim opens one attempt', opensOneAttemptForAClaim],
  ['no deletion is left half done without a task', isDeletedOnceNothingIsLeft],
  ['nobody works on what was forgotten', isLeftAloneOnceForgotten],
  ['only a good backup is held', isHeldOnlyWhileGood],
  ['what lies in the bin is a good backup that nobody removes', isLeftAloneInTheBin],
  ['Canceling and Canceled have a recorded cancel', wasCanceledIfItSaysSo],
]);

// --- what a command did

const neverLeavesAFinishedState = ({ before, after }: Change) => isActive(before) || after.state === before.state;

const leavesCancelingOnlyForCanceled = ({ before, after }: Change) =>
  before.state !== 'Canceling' || after.state === 'Canceling' || after.state === 'Canceled';

const neverFalls = ({ before, after }: Change) =>
  after.fence >= before.fence &&
  after.revision > before.revision &&
  after.failures >= before.failures &&
  after.losses >= before.losses;

const isNewGrant = ({ before, after }: Change) =>
  after.task?.claim !== undefined && after.task.claim !== before.task?.claim;

const raisesTheFenceWithEachGrant = (change: Change) => !isNewGrant(change) || change.after.fence > change.before.fence;

const grantsOnlyWhatIsUnowned = (change: Change) => !isNewGrant(change) || change.before.task?.claim === undefined;

const grantsNothingTooEarly = (change: Change) =>
  !isNewGrant(change) || (change.before.task?.notBefore.getTime() ?? Infinity) <= change.world.now;

const grantsOnlyLeftoversWhoseTimeHasCome = ({ world, after, answer }: Change) =>
  answer.kind !== 'removeGrant' ||
  answer.paths.every((path) =>
    after.leftovers.some((leftover) => leftover.path === path && leftover.after.getTime() <= world.now),
  );

/** A worker's write under another claim or fence changes nothing. */
const obeysOnlyItsOwner = ({ command, before }: Change) => {
  if (command.kind !== 'renew' && command.kind !== 'complete' && command.kind !== 'release') return true;
  return before.task?.claim === command.claim && (command.fence === undefined || command.fence === before.fence);
};

const neverRewritesTheEndOfAnAttempt = ({ before, after }: Change) =>
  before.attempts.every(({ outcome }, index) => outcome === undefined || after.attempts[index]?.outcome === outcome);

const takesOnlyNewPaths = ({ world, before, after }: Change) =>
  after.basePath === before.basePath && (after.path === before.path || world.owners[after.path] === undefined);

const countsExactlyTheLossesThatMayHaveCostARun = ({ before, after, command }: Change) => {
  const { task, state } = before;
  const lost = command.kind === 'reap' && state === 'Running';
  const counts = lost && (task?.started === true || attemptOf(before, task?.claim)?.mayRun === false);
  return after.losses === before.losses + (counts ? 1 : 0);
};

const countsOnlyFailuresThatWereTold = ({ before, after, command }: Change) =>
  after.failures === before.failures ||
  (command.kind === 'complete' && (command.outcome.kind === 'retry' || command.outcome.kind === 'newPath'));

const staysWithinItsLimits = ({ after, world: { limits } }: Change) =>
  after.failures <= limits.failureLimit && after.losses <= limits.lossLimit + 1;

/** T11: one whose time has not come stays, whatever else is removed, unless a wish is taken back or the files given up. */
const keepsLeftoversUntilTheirTime = ({ world, before, after, command }: Change) =>
  command.kind === 'claim' ||
  command.kind === 'forget' ||
  isTrashed(before) ||
  before.leftovers.every(
    (one) =>
      one.after.getTime() <= world.now ||
      after.leftovers.some((other) => other.path === one.path && other.after >= one.after),
  );

const isFailure = ({ before, after }: Change) => after.state === 'Failed' && before.state !== 'Failed';

const neverFailsBesideAGoodBackup = (change: Change) =>
  !isFailure(change) ||
  filesIn(change.world, change.after.path).holds !== 'all' ||
  change.after.reason?.code === 'LOST' ||
  change.after.reason?.code === 'STORAGE_DENIED';

/** What is wrong with one worker is no failure of the backup. */
const failsForWorkersOnlyIfAllSaidSo = (change: Change) => {
  const { world, after } = change;
  if (!isFailure(change) || after.reason?.code !== UNREACHED.code) return true;
  const said = (after.handBacks ?? []).map(({ instance }) => instance);
  return peersIn(world).every(({ instance, outOfReach }) => outOfReach !== undefined || said.includes(instance));
};

const countsNothingThatIsGivenBack = ({ before, after, command }: Change) => {
  if (command.kind !== 'complete' || command.outcome.kind !== 'wait' || !command.outcome.handBack) return true;
  const kept = before.attempts.filter(({ claim, argv }) => claim !== command.claim || argv !== undefined);
  return before.state === 'Canceling' || (after.failures === before.failures && after.attempts.length === kept.length);
};

const leavesTasksToThoseWhoCan = (change: Change) => {
  const { world, before, command } = change;
  if (!isNewGrant(change) || command.kind !== 'claim' || !command.outOfReach) return true;
  const said = (before.handBacks ?? []).map(({ instance }) => instance);
  return peersIn(world).every(
    ({ instance, outOfReach }) => instance === command.instance || outOfReach !== undefined || said.includes(instance),
  );
};

const grantsNothingInAStorageOfOthers = (change: Change) =>
  !isNewGrant(change) || change.before.task?.kind !== 'backup' || !change.world.denied;

const isDeniedOnlyWhileItIs = (change: Change) =>
  !isFailure(change) || change.after.reason?.code !== 'STORAGE_DENIED' || change.world.denied;

const neverFailsInACalmWorld = (change: Change) => !(change.world.setting.calm && isFailure(change));

const isHadBack = ({ command, before }: Change) => command.kind === 'undelete' && isTrashed(before);

const keepsAPersonsDeletion = (change: Change) => {
  const { before, after } = change;
  return (
    isHadBack(change) ||
    before.deletion.state === 'Forgotten' ||
    before.deletion.by?.kind !== 'person' ||
    (after.deletion.state !== 'None' && after.deletion.by?.kind === 'person')
  );
};

const staysDeleted = ({ before, after }: Change) =>
  before.deletion.state !== 'Deleted' || after.deletion.state === 'Deleted';

const neverTakesBackABegunDeletion = ({ before, after }: Change) =>
  after.deletion.state !== 'None' || ['None', 'Trashed', 'Requested', 'Forgotten'].includes(before.deletion.state);

/** A person gives files up where nobody can remove them, and only a rebuild takes that back. */
const forgetsOnlyWhatCannotBeRemoved = ({ before, after, command }: Change) =>
  after.deletion.state === before.deletion.state ||
  (after.deletion.state === 'Forgotten'
    ? command.kind === 'forget' && !isActive(before) && (command.gone || before.deletion.state === 'DeleteFailed')
    : before.deletion.state !== 'Forgotten' || command.kind === 'remember');

/** A newer good one is there when retention asks, and still when its removal begins. */
const leavesANewerGoodBackup = ({ world, number, before, after }: Change) =>
  after.deletion.by?.kind !== 'retention' ||
  after.deletion.state === before.deletion.state ||
  ![after, before].some(({ deletion: { state } }) => state === 'Requested' || state === 'Trashed') ||
  hasNewerGood(world, number);

const deletesNothingThatIsHeld = ({ before, after }: Change) =>
  before.holds.length === 0 || after.deletion.state === 'None' || (isTrashed(before) && isTrashed(after));

/** Z3 and Z4: but for files that are given up. */
const leavesTheBinOnlyInTime = ({ world, before, after, command }: Change) =>
  !isTrashed(before) ||
  isTrashed(after) ||
  command.kind === 'undelete' ||
  command.kind === 'forget' ||
  (command.kind === 'delete' && command.permanently === true) ||
  (before.deletion.trashUntil?.getTime() ?? Infinity) <= world.now;

/** Of each change of a document. */
export const OF_A_CHANGE: ReadonlyMap<Sentence, (change: Change) => boolean> = new Map([
  ['a finished state never changes', neverLeavesAFinishedState],
  ['Canceling becomes nothing but Canceled', leavesCancelingOnlyForCanceled],
  ['fence, revision, failures and losses never fall', neverFalls],
  ['each grant raises the fence', raisesTheFenceWithEachGrant],
  ['only an unowned task is granted', grantsOnlyWhatIsUnowned],
  ['nothing is granted before notBefore', grantsNothingTooEarly],
  ['a leftover is granted only after its `after`', grantsOnlyLeftoversWhoseTimeHasCome],
  ['a leftover whose time has not come stays', keepsLeftoversUntilTheirTime],
  ['only the owner of a task changes it', obeysOnlyItsOwner],
  ['the end of an attempt is written once', neverRewritesTheEndOfAnAttempt],
  ['a path that was ever given is never given again', takesOnlyNewPaths],
  ['a loss counts exactly if it may have cost a run', countsExactlyTheLossesThatMayHaveCostARun],
  ['only a failure that was told counts', countsOnlyFailuresThatWereTold],
  ['failures and losses stay within their limits', staysWithinItsLimits],
  ['no backup is granted whose cluster may not use the storage', grantsNothingInAStorageOfOthers],
  ['a backup is denied its storage only while its cluster may not use it', isDeniedOnlyWhileItIs],
  ['Failed never beside a complete backup, but for losses and a storage of others', neverFailsBesideAGoodBackup],
  ['lost answers, late calls, doubled messages and drains alone never make a backup Failed', neverFailsInACalmWorld],
  ['a backup fails for what is wrong with workers only once all present ones said so', failsForWorkersOnlyIfAllSaidSo],
  ['what a worker gives back counts nothing and opens no attempt', countsNothingThatIsGivenBack],
  ['what a worker cannot do is left to another who can', leavesTasksToThoseWhoCan],
  ["a person's answered deletion is kept", keepsAPersonsDeletion],
  ['deleted stays deleted', staysDeleted],
  ['a deletion that has begun is not taken back', neverTakesBackABegunDeletion],
  ['only what cannot be removed is forgotten', forgetsOnlyWhatCannotBeRemoved],
  ['retention removes only where a newer good backup is', leavesANewerGoodBackup],
  ['what is held is not deleted', deletesNothingThatIsHeld],
  ['nothing leaves the bin before its time, unless somebody asks', leavesTheBinOnlyInTime],
]);

// --- the world around them

/** Somebody may still write to a path of the document, or owes the report of one. */
function isStrayOwed({ runs, workers }: World, number: number): boolean {
  return (
    runs.some(({ document }) => document === number) ||
    workers.some(({ records }) => records.some(({ document }) => document === number))
  );
}

const keepsItsPromises = (world: World, backup: Backup, number: number) =>
  !world.promised[number] || backup.state === 'Canceling' || backup.state === 'Canceled';

const keepsGoodFiles = (world: World, backup: Backup) =>
  !goodStays(backup) || (backup.result !== null && filesIn(world, backup.path).holds === 'all');

const keepsFilesInTheBin = (world: World, backup: Backup) =>
  !isTrashed(backup) || filesIn(world, backup.path).holds === 'all';

const forgetsNoFiles = (world: World, backup: Backup, number: number) =>
  isActive(backup) ||
  backup.task !== null ||
  isStrayOwed(world, number) ||
  backup.deletion.state === 'Forgotten' ||
  Object.entries(world.owners).every(
    ([path, owner]) =>
      owner !== number || filesIn(world, path).holds === 'nothing' || (goodStays(backup) && path === backup.path),
  );

const isAloneInItsCluster = ({ documents }: World, backup: Backup) =>
  documents.filter(({ activeKey }) => activeKey === backup.activeKey).length === 1;

const isAloneInItsSlot = ({ documents }: World, backup: Backup) =>
  documents.filter(({ slotKey }) => slotKey === backup.slotKey).length === 1;

const sharesNoPath = ({ documents }: World, backup: Backup) =>
  documents.every((other) => other === backup || ![other.path, ...paths(other)].includes(backup.path));

/** Of each document within its world. */
export const OF_A_WORLD: ReadonlyMap<Sentence, (world: World, backup: Backup, number: number) => boolean> = new Map([
  ['an answered cancel never ends otherwise', keepsItsPromises],
  ['Succeeded and not deleted has a verified backupmeta in its path', keepsGoodFiles],
  ['what lies in the bin has all its files', keepsFilesInTheBin],
  ['finished without a task has no files but the good ones, unless a worker owes a stray', forgetsNoFiles],
  ['at most one active backup per cluster', isAloneInItsCluster],
  ['at most one backup per slot', isAloneInItsSlot],
  ['no path is in two documents', sharesNoPath],
]);

// --- what a worker is about to do

/** T13: its host stands still, or did for too long. */
const isExempt = (world: World, { exempt, worker }: Run) => exempt || workerOf(world, worker).mode === 'hostFrozen';

/** Also under T13: then the lock of `br` keeps the second one out, or a new path does. */
const isAloneInThePath = (world: World, { path }: Job) => !world.runs.some((run) => run.path === path);

const isTheOnlyOneOfItsCluster = (world: World, { document }: Job) => {
  const { clusterId } = documentOf(world, document);
  return !world.runs.some((run) => documentOf(world, run.document).clusterId === clusterId && !isExempt(world, run));
};

const wasAnnounced = (world: World, { document, claim }: Job) =>
  attemptOf(documentOf(world, document), claim)?.argv !== undefined;

const isNotLookOnly = (world: World, { document, claim }: Job) => {
  const { failures, losses, task } = documentOf(world, document);
  const { failureLimit, lossLimit } = world.limits;
  return task?.claim !== claim || (failures < failureLimit && losses < lossLimit);
};

const wasGrantedInTime = (world: World, { document, claim }: Job) => {
  const backup = documentOf(world, document);
  const { startedAt } = attemptOf(backup, claim) ?? {};
  return startedAt === undefined || startedAt < backup.deadline;
};

/** Of each spawn of a `br`. */
export const OF_A_SPAWN: ReadonlyMap<Sentence, (world: World, job: Job) => boolean> = new Map([
  ['no two br in one path', isAloneInThePath],
  ['no two br in one cluster', isTheOnlyOneOfItsCluster],
  ['no spawn without an answered `starting`', wasAnnounced],
  ['no spawn beyond the limits of failures and losses', isNotLookOnly],
  ['no spawn that was granted past the deadline', wasGrantedInTime],
]);

/** Also under T13, where `br` has a lock. */
const isNotUnderALivingBr = (world: World, _: Job, path: string) =>
  !world.runs.some((run) => run.path === path && (run.lock || !isExempt(world, run)));

const letsFilesRest = (world: World, _: Job, path: string) =>
  world.now - filesIn(world, path).endedBadly >= world.limits.quietMs;

const removesOnlyItsOwn = ({ owners }: World, { document }: Job, path: string) => owners[path] === document;

/** Of each path that is removed. */
export const OF_A_REMOVAL: ReadonlyMap<Sentence, (world: World, job: Job, path: string) => boolean> = new Map([
  ['no removal under a living br', isNotUnderALivingBr],
  ['no removal sooner than 60 s after a br ended there otherwise than by itself', letsFilesRest],
  ['a removal takes no path of another backup', removesOnlyItsOwn],
]);

/** Throws the sentence of the first of them that does not hold. @throws Violation */
export function hold<Seen extends readonly unknown[]>(
  invariants: ReadonlyMap<Sentence, (...seen: Seen) => boolean>,
  ...seen: Seen
): void {
  for (const [sentence, holds] of invariants) if (!holds(...seen)) throw new Violation(sentence);
}

/** Holds a world to what is said of every document in it. @throws Violation */
export function holdWorld(world: World): void {
  for (const [number, backup] of world.documents.entries()) hold(OF_A_WORLD, world, backup, number);
}

/** Whether a good backup of the same cluster was started after this one. */
export function hasNewerGood({ documents }: World, number: number): boolean {
  const backup = documents[number];
  return documents.some(
    (other) =>
      backup !== undefined &&
      other.clusterId === backup.clusterId &&
      other.startTime > backup.startTime &&
      goodStays(other),
  );
}
