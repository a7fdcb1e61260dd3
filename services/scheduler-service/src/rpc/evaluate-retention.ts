import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import type {
  EvaluateRetentionRequest,
  EvaluateRetentionResponse,
  RetentionVerdict,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/retention_service';
import { keepsNothing } from '@tidemark/schedule/retention';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { type Judged, judge, listGoodBackups, listRules } from '../retention.ts';
import type { Dependencies } from './context.ts';

/** What the retention of a cluster keeps, or a proposed one would; changes nothing. */
export function evaluateRetention({ backends, now }: Dependencies) {
  return async (request: EvaluateRetentionRequest, context: CallContext): Promise<EvaluateRetentionResponse> => {
    validate(request);
    const { clusterId, rule, proposal, keepEverything } = request;
    const options = { signal: context.signal, requestId: context.requestId, caller: context.caller };
    const rules = await listRules(backends, clusterId, options);
    const chosen = rule === '' ? rules : rules.filter((one) => one.rule === rule);
    const backups = await listGoodBackups(backends, { clusterId, rule }, options);
    const proposed = proposal !== undefined || keepEverything;
    const judged = judge(backups, chosen, ({ retention }) => (proposed ? proposal : retention), now());
    const goes = judged.filter(({ keepReasons }) => keepReasons.length === 0);
    return {
      verdicts: judged.map(toVerdict),
      bytesToFree: goes.reduce((bytes, { backup }) => bytes + (backup.result?.sizeBytes ?? 0n), 0n),
    };
  };
}

function validate({ rule, proposal, keepEverything }: EvaluateRetentionRequest): void {
  const violations: FieldViolation[] = [];
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
    sizeBytes: backup.result?.sizeBytes ?? 0n,
    keepReasons: [...keepReasons],
    expiresAt,
  };
}
