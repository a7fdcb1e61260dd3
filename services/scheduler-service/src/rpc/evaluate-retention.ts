import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { ID } from '@tidemark/limits/id';
import {
  type EvaluateRetentionRequest,
  type EvaluateRetentionResponse,
  RetentionVerdict,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/retention_service';
import { keepsNothing } from '@tidemark/schedule/retention';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { isBehind, type Judged, judge, listBases, listGoodBackups, listRules } from '../retention.ts';
import type { Dependencies } from './context.ts';

/** Where the verdicts go on: the instant that they are as of, and start and id of the backup that was told last. */
const TOKEN = new RegExp(`^(\\d{1,15})_(\\d{1,15})_(${ID})$`);

/**
 * What the retention of a cluster keeps, or a proposed one would, as many verdicts as fit; changes nothing. What follows
 * under the token is judged anew, as of the same instant.
 */
export function evaluateRetention({ backends, now }: Dependencies) {
  return async (request: EvaluateRetentionRequest, context: CallContext): Promise<EvaluateRetentionResponse> => {
    validate(request);
    const { clusterId, rule, proposal, keepEverything } = request;
    const options = { signal: context.signal, requestId: context.requestId, caller: context.caller };
    const rules = await listRules(backends, clusterId, options);
    const chosen = rule === '' ? rules : rules.filter((one) => one.rule === rule);
    const [backups, bases] = await Promise.all([
      listGoodBackups(backends, { clusterId, rule }, options),
      listBases(backends, clusterId, options),
    ]);
    const proposed = proposal !== undefined || keepEverything;
    const [, judgedAt, lastStart, lastId] = TOKEN.exec(request.pageToken) ?? [];
    const asOf = judgedAt === undefined ? now() : new Date(Number(judgedAt));
    const judged = judge(backups, chosen, ({ retention }) => (proposed ? proposal : retention), asOf, bases);
    const goes = judged.filter(({ keepReasons }) => keepReasons.length === 0);
    const last = lastId === undefined ? undefined : { id: lastId, startTime: new Date(Number(lastStart)) };
    const rest = judged.filter(({ backup }) => !last || isBehind(backup, last)).map(toVerdict);
    const verdicts = fitting(rest, RetentionVerdict);
    const end = verdicts.length < rest.length ? verdicts.at(-1) : undefined;
    return {
      verdicts,
      bytesToFree: goes.reduce((bytes, { backup }) => bytes + backup.sizeBytes, 0n),
      nextPageToken: end ? `${+asOf}_${+(end.startTime ?? 0)}_${end.backupId}` : '',
    };
  };
}

function validate({ rule, proposal, keepEverything, pageToken }: EvaluateRetentionRequest): void {
  const violations: FieldViolation[] = [];
  if (pageToken !== '' && !TOKEN.test(pageToken))
    violations.push({ field: 'pageToken', description: 'must be the nextPageToken of the answer before, or empty' });
  if ((proposal || keepEverything) && rule === '')
    violations.push({ field: 'rule', description: 'must name the rule that would have the proposed retention' });
  if (proposal && keepEverything)
    violations.push({ field: 'retention', description: 'cannot be given and be removed at once' });
  if (proposal && keepsNothing(proposal))
    violations.push({
      field: 'retention',
      description:
        'would keep nothing: set at least one of keepLast, keepDays, daily, weekly, monthly, yearly, such as {"keepLast":7}; null keeps everything',
    });
  if (violations.length > 0) throw invalidArgument(violations);
}

function toVerdict({ backup, keepReasons, expiresAt }: Judged): RetentionVerdict {
  return {
    backupId: backup.id,
    rule: backup.rule,
    startTime: backup.startTime,
    sizeBytes: backup.sizeBytes,
    keepReasons: [...keepReasons],
    expiresAt,
  };
}
