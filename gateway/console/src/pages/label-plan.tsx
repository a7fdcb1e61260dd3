import { useSignal } from '@preact/signals';
import type { FleetStrategy } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso';
import { fleet, isConflict, strategies } from '../api.ts';
import { labelOf } from '../fleet-words.ts';
import { type Live, useLive } from '../live.ts';
import { Confirm, useAct } from '../parts/act.tsx';
import { type Conflict, ConflictDialog } from '../parts/conflict.tsx';
import { NextStarts, WhatGoes } from '../parts/foresight.tsx';
import { Page } from '../parts/page.tsx';
import { PlanFields } from '../parts/plan-fields.tsx';
import { Trouble } from '../parts/problem.tsx';
import { bodyOf, formOf, NEW_PLAN, optionsOf, type PlanForm, saveOf } from '../plan-form.ts';
import { mayOperate } from '../session.ts';
import { pathOf, type Same } from '../shell.ts';
import { NEW } from './rule.tsx';

const ID = '[A-Za-z0-9_\\-]{1,64}';
const EVERY_MS = 15_000;

/** One strategy for labels, with one of its clusters as the example of what it does. */
export function LabelPlanPage() {
  const { params } = useRoute();
  const name = params.name ?? '';
  return name === NEW ? <NewPlan /> : <PlanOf key={name} name={name} />;
}

function NewPlan() {
  const name = useSignal('');
  return (
    <PlanEditor
      name={name.value}
      stored={undefined}
      head={
        <label class="short">
          Name of the strategy
          <input
            required
            pattern={ID}
            maxLength={64}
            placeholder="prod-nightly"
            value={name}
            onInput={(event) => (name.value = event.currentTarget.value)}
          />
        </label>
      }
    />
  );
}

function PlanOf({ name }: { readonly name: string }) {
  const live = useLive(
    name,
    async (signal) => (await strategies.getFleetStrategy({ name }, { signal })).fleetStrategy,
    EVERY_MS,
  );
  const { data } = live;
  if (!data.value) return <Page title={`Strategy ${name}`} live={live} loading="the strategy" same={sameReads(name)} />;
  return <PlanEditor name={name} stored={data.value} live={live} />;
}

function sameReads(name: string): Same[] {
  return [{ method: 'GET', path: pathOf(['strategies', name]), tidemark: ['strategies', 'get', name] }];
}

interface Target {
  readonly labels: string;
  readonly rule: string;
  readonly priority: number;
}

function targetOf(stored: FleetStrategy | undefined): Target {
  if (!stored) return { labels: '', rule: 'default', priority: 0 };
  const labels = Object.entries(stored.selector).map(([key, value]) => `${key}=${value}`);
  return { labels: labels.join(', '), rule: stored.rule, priority: stored.priority };
}

/** Labels as they are typed, separated by commas. */
function selectorOf(labels: string): Record<string, string> {
  const texts = labels.split(',').map((text) => text.trim());
  return Object.fromEntries(texts.flatMap((text) => [labelOf(text)].filter((label) => label !== undefined)));
}

/** The revision of what nobody has saved yet. */
const NOT_THERE = 0n;

interface EditorProps {
  readonly name: string;
  readonly stored: FleetStrategy | undefined;
  /** Of where it is stored; left out for a new one. */
  readonly live?: Live<unknown>;
  readonly head?: ComponentChildren;
}

function PlanEditor({ name, stored, live, head }: EditorProps) {
  const { route } = useLocation();
  const form = useSignal<PlanForm>(stored ? formOf(stored) : NEW_PLAN);
  const target = useSignal(targetOf(stored));
  const base = useSignal(stored);
  const conflict = useSignal<Conflict | undefined>(undefined);
  const isDeleting = useSignal(false);
  const isSaved = useSignal(false);
  const saving = useAct();
  const began = () => JSON.stringify([base.value ? formOf(base.value) : NEW_PLAN, targetOf(base.value)]);
  const isTouched = JSON.stringify([form.value, target.value]) !== began();
  useEffect(() => {
    if (stored && !isTouched && stored.revision !== base.value?.revision) take(stored);
  }, [stored?.revision]);
  const take = (known: FleetStrategy) => {
    base.value = known;
    form.value = formOf(known);
    target.value = targetOf(known);
  };
  const selector = selectorOf(target.value.labels);
  const save = async (revision: bigint) => {
    conflict.value = undefined;
    isSaved.value = false;
    await saving.run(async () => {
      const { rule, priority } = target.value;
      try {
        const { fleetStrategy } = await strategies.saveFleetStrategy({
          name,
          selector,
          rule,
          priority,
          revision,
          ...saveOf(form.value),
        });
        if (fleetStrategy) take(fleetStrategy);
        isSaved.value = true;
      } catch (error) {
        const now = isConflict(error) ? (await strategies.getFleetStrategy({ name })).fleetStrategy : undefined;
        if (!now) throw error;
        conflict.value = { by: now.updatedBy, at: now.updateTime, revision: now.revision, theirs: formOf(now) };
      }
    });
    if (!isSaved.value) return;
    if (live) live.refresh();
    else route(pathOf(['plans', name]), true);
  };
  const takeTheirs = async () => {
    conflict.value = undefined;
    const { fleetStrategy } = await strategies.getFleetStrategy({ name });
    if (fleetStrategy) take(fleetStrategy);
  };
  const mayEdit = mayOperate.value;
  const change = (part: Partial<Target>) => (target.value = { ...target.value, ...part });
  return (
    <Page
      title={stored ? `Strategy ${name}` : 'A new strategy for labels'}
      live={live}
      actions={
        mayEdit &&
        stored && (
          <button type="button" class="danger quiet" onClick={() => (isDeleting.value = true)}>
            Delete …
          </button>
        )
      }
      same={[
        ...(stored ? sameReads(name) : []),
        ...(mayEdit
          ? [
              {
                method: 'PUT' as const,
                path: pathOf(['strategies', name || 'prod-nightly']),
                body: {
                  strategy: {
                    selector,
                    rule: target.value.rule,
                    priority: target.value.priority,
                    ...bodyOf(form.value),
                  },
                },
                tidemark: [
                  ...['strategies', 'set', name || 'prod-nightly'],
                  ...Object.entries(selector).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
                  ...['--rule', target.value.rule, '--priority', String(target.value.priority)],
                  ...optionsOf(form.value),
                ],
              },
            ]
          : []),
      ]}
    >
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save(base.value?.revision ?? NOT_THERE);
        }}
      >
        {head}
        <div class="panel fields">
          <label>
            Labels that a cluster must all have
            <input
              required
              disabled={!mayEdit}
              placeholder="env=prod, zone=a"
              value={target.value.labels}
              onInput={(event) => change({ labels: event.currentTarget.value })}
            />
          </label>
          <label>
            The rule that its clusters get
            <input
              required
              pattern={ID}
              disabled={!mayEdit || stored !== undefined}
              value={target.value.rule}
              onInput={(event) => change({ rule: event.currentTarget.value })}
            />
          </label>
          <label>
            Priority; the highest wins
            <input
              type="number"
              required
              min={-1_000_000}
              max={1_000_000}
              disabled={!mayEdit}
              value={target.value.priority}
              onInput={(event) => change({ priority: event.currentTarget.valueAsNumber || 0 })}
            />
          </label>
        </div>
        <PlanFields
          form={form.value}
          onChange={mayEdit ? (changed) => (form.value = changed) : undefined}
          ownZone="each cluster’s own"
        />
        <Trouble problem={saving.problem.value} />
        {mayEdit && (
          <div class="buttons">
            <button
              type="submit"
              class="primary"
              disabled={saving.isBusy.value || (stored !== undefined && !isTouched)}
            >
              {saving.isBusy.value ? 'Saving …' : 'Save'}
            </button>
            {isSaved.value && !isTouched && (
              <span class="mark good" role="status">
                Saved; its clusters follow within seconds
              </span>
            )}
          </div>
        )}
      </form>
      <Example selector={selector} rule={target.value.rule} form={form.value} />
      {conflict.value && (
        <ConflictDialog
          conflict={conflict.value}
          mine={form.value}
          onMine={() => void save(conflict.value?.revision ?? NOT_THERE)}
          onTheirs={() => void takeTheirs()}
          onClose={() => (conflict.value = undefined)}
        />
      )}
      {isDeleting.value && (
        <Confirm
          title="Delete this strategy?"
          verb="Delete"
          typed={name}
          isDestructive
          same={[{ method: 'DELETE', path: pathOf(['strategies', name]), tidemark: ['strategies', 'delete', name] }]}
          act={() => strategies.deleteFleetStrategy({ name })}
          onDone={() => route('/plans')}
          onClose={() => (isDeleting.value = false)}
        >
          <p>{stored?.clusters ?? 0} clusters lose the rule that they have from it, within seconds.</p>
        </Confirm>
      )}
    </Page>
  );
}

/** Shows on one of the clusters what the strategy does. */
function Example({
  selector,
  rule,
  form,
}: {
  readonly selector: Record<string, string>;
  readonly rule: string;
  readonly form: PlanForm;
}) {
  const labels = JSON.stringify(selector);
  const { data } = useLive(
    labels,
    async (signal) =>
      Object.keys(selector).length === 0
        ? undefined
        : (await fleet.listFleet({ labels: selector, pageSize: 1 }, { signal })).rows[0],
    60_000,
  );
  if (!data.value) return null;
  const { clusterId } = data.value;
  return (
    <>
      <p class="muted">
        As an example, <a href={pathOf(['clusters', clusterId])}>{clusterId}</a> has these labels:
      </p>
      <NextStarts clusterId={clusterId} rule={rule} form={form} />
      <WhatGoes clusterId={clusterId} rule={rule} form={form} />
    </>
  );
}
