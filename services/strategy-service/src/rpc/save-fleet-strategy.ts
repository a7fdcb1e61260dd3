import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import type {
  SaveFleetStrategyRequest,
  SaveFleetStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fleetSaved } from '../events.ts';
import { type FleetStrategyDocument, toFleetMessage, toLabels } from '../fleet-strategy.ts';
import { DEFAULT_RULE, NO_SETTINGS } from '../strategy.ts';
import { toChange } from '../strategy-change.ts';
import { type Dependencies, requireName } from './context.ts';

const MOST_FLEET_STRATEGIES = 100;
const MOST_LABELS = 20;
const HIGHEST_PRIORITY = 1_000_000;
const RULE = /^[A-Za-z0-9_-]{1,64}$/;
const isLabelText = (text: string) => text.length <= 256 && !/\p{Cc}/u.test(text);

/** Saves a strategy for labels; the loop brings it to the clusters within seconds. One that is being deleted begins anew. */
export function saveFleetStrategy({ store, fleet, now, wakeFleetLoop }: Dependencies) {
  return async (
    request: SaveFleetStrategyRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<SaveFleetStrategyResponse> => {
    const { name } = request;
    requireName(name);
    const change = toChange(request, true, problemsOf(request));
    const selector = toLabels(request.selector);
    const all = await fleet.list(signal);
    if (!all.some(({ _id }) => _id === name) && all.length >= MOST_FLEET_STRATEGIES)
      throw invalidArgument([
        { field: 'name', description: `would be one more than ${MOST_FLEET_STRATEGIES} strategies; delete one first` },
      ]);

    const saved = await fleet.change(
      name,
      (stored) => {
        const before = stored?.deleting ? undefined : stored;
        requireSettled(request, before);
        const at = now();
        const after: FleetStrategyDocument = {
          ...NO_SETTINGS,
          _id: name,
          priority: 0,
          rule: request.rule || DEFAULT_RULE,
          createTime: at,
          appliedRevision: 0,
          ...before,
          ...change,
          selector: selector.length > 0 ? selector : (before?.selector ?? []),
          ...(request.priority !== undefined && { priority: request.priority }),
          deleting: false,
          revision: (stored?.revision ?? 0) + 1,
          updateTime: at,
          updatedBy: caller,
        };
        return after;
      },
      signal,
    );
    if (!saved) return { fleetStrategy: undefined };
    fleetSaved(saved, caller, requestId);
    wakeFleetLoop();
    const counts = await store.countFleetRules(signal);
    return { fleetStrategy: toFleetMessage(saved, counts.get(name) ?? 0) };
  };
}

function problemsOf({ selector, priority, rule }: SaveFleetStrategyRequest): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const labels = Object.entries(selector);
  if (labels.length > MOST_LABELS)
    violations.push({ field: 'strategy.selector', description: `must name at most ${MOST_LABELS} labels` });
  for (const [label, value] of labels)
    if (label === '' || !isLabelText(label) || !isLabelText(value))
      violations.push({
        field: `strategy.selector.${label.slice(0, 64)}`,
        description: 'must be a label and its value of at most 256 characters, such as {"env":"prod"}',
      });
  if (priority !== undefined && Math.abs(priority) > HIGHEST_PRIORITY)
    violations.push({
      field: 'strategy.priority',
      description: `must be a whole number from -${HIGHEST_PRIORITY} to ${HIGHEST_PRIORITY}, such as 10; the highest wins`,
    });
  if (rule !== '' && !RULE.test(rule))
    violations.push({
      field: 'strategy.rule',
      description: 'must be 1 to 64 letters, digits, underscores or dashes, such as nightly',
    });
  return violations;
}

/** What the first save settles. */
function requireSettled({ selector, rule }: SaveFleetStrategyRequest, before: FleetStrategyDocument | undefined): void {
  if (!before && Object.keys(selector).length === 0)
    throw invalidArgument([
      { field: 'strategy.selector', description: 'must name at least one label, such as {"env":"prod"}' },
    ]);
  if (before && rule !== '' && rule !== before.rule)
    throw invalidArgument([
      {
        field: 'strategy.rule',
        description: `was settled as "${before.rule}" at the first save; leave it out, or save another strategy`,
      },
    ]);
}
