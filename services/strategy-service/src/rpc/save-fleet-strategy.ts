import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_FLEET_STRATEGIES, MAX_QUOTED_NAME, MAX_SELECTOR, MAX_SHORT_TEXT } from '@tidemark/limits/limits';
import { requireRevision } from '@tidemark/mongo/expected-revision';
import type {
  SaveFleetStrategyRequest,
  SaveFleetStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fleetSaved } from '../events.ts';
import { type FleetStrategyDocument, toFleetMessage, toLabels } from '../fleet-strategy.ts';
import { DEFAULT_RULE, NO_SETTINGS } from '../strategy.ts';
import { toChange } from '../strategy-change.ts';
import { type Dependencies, FLEET_QUOTA } from './context.ts';

const isLabelText = (text: string) => text.length <= MAX_SHORT_TEXT && !/\p{Cc}/u.test(text);

/**
 * Saves a strategy for labels; the loop brings it to the clusters within seconds. One that is being deleted begins anew.
 * Its storage must only be there: which of its clusters may use that is another matter.
 */
export function saveFleetStrategy({ store, fleet, registry, quotas, now, wakeFleetLoop }: Dependencies) {
  return async (
    request: SaveFleetStrategyRequest,
    { caller, requestId, callId, signal }: CallContext,
  ): Promise<SaveFleetStrategyResponse> => {
    const { name, validateOnly } = request;
    const change = toChange(request, true, problemsOf(request));
    const selector = toLabels(request.selector);
    const next = (stored: FleetStrategyDocument | undefined): FleetStrategyDocument | undefined => {
      const before = stored?.deleting ? undefined : stored;
      // Its answer was lost, and this is its repeat.
      if (before?.savedIn === callId) return undefined;
      requireRevision(`Strategy ${name} for labels`, request.revision, before);
      requireSettled(request, before);
      const at = now();
      return {
        ...NO_SETTINGS,
        _id: name,
        priority: 0,
        rule: request.rule || DEFAULT_RULE,
        createTime: at,
        appliedRevision: 0,
        toldRevision: 0,
        ...before,
        ...(before && { toldRevision: before.toldRevision ?? 0 }),
        ...change,
        selector: selector.length > 0 ? selector : (before?.selector ?? []),
        ...(request.priority !== undefined && { priority: request.priority }),
        deleting: false,
        revision: (stored?.revision ?? 0) + 1,
        savedIn: callId,
        updateTime: at,
        updatedBy: caller,
      };
    };
    const before = await fleet.get(name, signal);
    const wouldBe = next(before);
    if (change.storageId)
      await registry.getStorage({ id: change.storageId, clusterId: '' }, { signal, requestId, caller });
    if (!before || before.deleting) {
      const stored = async () => (await fleet.list(signal)).map(({ _id }) => _id);
      const hasRoom = validateOnly
        ? (await stored()).filter((one) => one !== name).length < MAX_FLEET_STRATEGIES
        : await quotas.reserve(FLEET_QUOTA, name, MAX_FLEET_STRATEGIES, stored, signal);
      if (!hasRoom)
        throw invalidArgument([
          { field: 'name', description: `would be one more than ${MAX_FLEET_STRATEGIES} strategies; delete one first` },
        ]);
    }
    const saved = validateOnly ? wouldBe : await fleet.change(name, next, signal);
    if (!saved) return { fleetStrategy: undefined };
    if (!validateOnly) {
      fleetSaved(saved, caller, requestId);
      wakeFleetLoop();
    }
    const counts = await store.countFleetRules(signal);
    return { fleetStrategy: toFleetMessage(saved, counts.get(name) ?? 0) };
  };
}

function problemsOf({ selector }: SaveFleetStrategyRequest): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const labels = Object.entries(selector);
  if (labels.length > MAX_SELECTOR)
    violations.push({ field: 'strategy.selector', description: `must name at most ${MAX_SELECTOR} labels` });
  for (const [label, value] of labels.slice(0, MAX_SELECTOR))
    if (label === '' || !isLabelText(label) || !isLabelText(value))
      violations.push({
        field: `strategy.selector.${label.slice(0, MAX_QUOTED_NAME)}`,
        description: 'must be a label and its value of at most 256 characters, such as {"env":"prod"}',
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
