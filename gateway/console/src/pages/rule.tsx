import { useSignal } from '@preact/signals';
import type { Strategy } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso';
import { isConflict, strategies } from '../api.ts';
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

/** Where a new one is made; no rule and no strategy for labels can have this name. */
export const NEW = '~new';
const ID = '[A-Za-z0-9_\\-]{1,64}';
/** Often enough to say that somebody else is at it. */
const EVERY_MS = 15_000;

/** One rule of a cluster: what it does, and what it would do as it is edited. */
export function RulePage() {
  const { params } = useRoute();
  const { id = '', rule = '' } = params;
  return rule === NEW ? (
    <NewRule key={id} clusterId={id} />
  ) : (
    <RuleOf key={`${id} ${rule}`} clusterId={id} rule={rule} />
  );
}

function NewRule({ clusterId }: { readonly clusterId: string }) {
  const name = useSignal('');
  return (
    <RuleEditor
      clusterId={clusterId}
      rule={name.value}
      stored={undefined}
      title={`A new rule of ${clusterId}`}
      head={
        <label class="short">
          Name of the rule
          <input
            required
            pattern={ID}
            maxLength={64}
            placeholder="nightly"
            value={name}
            onInput={(event) => (name.value = event.currentTarget.value)}
          />
        </label>
      }
    />
  );
}

function RuleOf({ clusterId, rule }: { readonly clusterId: string; readonly rule: string }) {
  const live = useLive(
    `${clusterId} ${rule}`,
    async (signal) => (await strategies.getStrategy({ clusterId, rule }, { signal })).strategy,
    EVERY_MS,
  );
  const { data } = live;
  if (!data.value)
    return (
      <Page title={`Rule ${rule} of ${clusterId}`} live={live} loading="the rule" same={sameReads(clusterId, rule)} />
    );
  return (
    <RuleEditor
      clusterId={clusterId}
      rule={rule}
      stored={data.value}
      title={`Rule ${rule} of ${clusterId}`}
      live={live}
    />
  );
}

function sameReads(clusterId: string, rule: string): Same[] {
  return [
    {
      method: 'GET',
      path: pathOf(['clusters', clusterId, 'strategies', rule]),
      tidemark: ['strategy', 'get', clusterId, '--rule', rule],
    },
  ];
}

interface EditorProps {
  readonly clusterId: string;
  readonly rule: string;
  /** As it is now; left out for a new one. */
  readonly stored: Strategy | undefined;
  readonly title: string;
  /** Of where it is stored; left out for a new one. */
  readonly live?: Live<unknown>;
  readonly head?: ComponentChildren;
}

function RuleEditor({ clusterId, rule, stored, title, live, head }: EditorProps) {
  const { route } = useLocation();
  const form = useSignal<PlanForm>(stored ? formOf(stored) : NEW_PLAN);
  /** What the form began with. */
  const base = useSignal(stored);
  const conflict = useSignal<Conflict | undefined>(undefined);
  const isDeleting = useSignal(false);
  const saving = useAct();
  const isSaved = useSignal(false);
  const isTouched = JSON.stringify(form.value) !== JSON.stringify(base.value ? formOf(base.value) : NEW_PLAN);
  // What others save is taken over for as long as nothing was edited here.
  useEffect(() => {
    if (stored && !isTouched && stored.revision !== base.value?.revision) {
      base.value = stored;
      form.value = formOf(stored);
    }
  }, [stored?.revision]);

  const save = async (revision: bigint | undefined) => {
    conflict.value = undefined;
    isSaved.value = false;
    const isDone = await saving.run(async () => {
      try {
        const { strategy } = await strategies.saveStrategy({
          clusterId,
          rule,
          ...(revision === undefined ? { createOnly: true } : { revision }),
          ...saveOf(form.value),
        });
        base.value = strategy;
        if (strategy) form.value = formOf(strategy);
        isSaved.value = true;
      } catch (error) {
        const now = isConflict(error) ? (await strategies.getStrategy({ clusterId, rule })).strategy : undefined;
        if (!now) throw error;
        conflict.value = { by: now.updatedBy, at: now.updateTime, revision: now.revision, theirs: formOf(now) };
      }
    });
    if (!isDone || !isSaved.value) return;
    if (live) live.refresh();
    else route(pathOf(['clusters', clusterId, 'rules', rule]), true);
  };
  const takeTheirs = () => {
    if (conflict.value) form.value = conflict.value.theirs;
    conflict.value = undefined;
    void strategies.getStrategy({ clusterId, rule }).then(
      ({ strategy }) => (base.value = strategy),
      () => undefined,
    );
  };
  const strategy = bodyOf(form.value);
  const mayEdit = mayOperate.value;
  return (
    <Page
      title={title}
      live={live}
      heading={
        <>
          {stored ? `Rule ${rule}` : 'A new rule'} of <a href={pathOf(['clusters', clusterId])}>{clusterId}</a>
        </>
      }
      actions={
        mayEdit &&
        stored &&
        !stored.fleetStrategy && (
          <button type="button" class="danger quiet" onClick={() => (isDeleting.value = true)}>
            Delete …
          </button>
        )
      }
      same={
        stored
          ? [
              ...sameReads(clusterId, rule),
              ...(mayEdit
                ? [
                    {
                      method: 'PUT' as const,
                      path: pathOf(['clusters', clusterId, 'strategies', rule]),
                      body: { strategy },
                      tidemark: ['strategy', 'set', clusterId, '--rule', rule, ...optionsOf(form.value)],
                    },
                  ]
                : []),
            ]
          : [
              {
                method: 'POST',
                path: pathOf(['clusters', clusterId, 'strategies']),
                body: { strategy: { rule: rule || 'nightly', ...strategy } },
                tidemark: ['strategy', 'set', clusterId, '--rule', rule || 'nightly', ...optionsOf(form.value)],
              },
            ]
      }
    >
      {stored?.fleetStrategy && (
        <p class="note">
          It comes from the strategy for labels{' '}
          <a href={pathOf(['plans', stored.fleetStrategy])}>{stored.fleetStrategy}</a>. Saved here, it becomes the
          cluster’s own{stored.fleetPaused && '; it is paused for its labels'}.
        </p>
      )}
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save(base.value?.revision);
        }}
      >
        {head}
        <PlanFields
          form={form.value}
          onChange={mayEdit ? (changed) => (form.value = changed) : undefined}
          ownZone="the cluster’s own"
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
            {isTouched && stored && (
              <button type="button" onClick={() => (form.value = formOf(base.value ?? stored))}>
                Undo the changes
              </button>
            )}
            {isSaved.value && !isTouched && (
              <span class="mark good" role="status">
                Saved
              </span>
            )}
          </div>
        )}
      </form>
      <NextStarts clusterId={clusterId} rule={stored ? rule : ''} form={form.value} />
      {stored && <WhatGoes clusterId={clusterId} rule={rule} form={form.value} />}
      {conflict.value && (
        <ConflictDialog
          conflict={conflict.value}
          mine={form.value}
          onMine={() => void save(conflict.value?.revision)}
          onTheirs={takeTheirs}
          onClose={() => (conflict.value = undefined)}
        />
      )}
      {isDeleting.value && (
        <Confirm
          title="Delete this rule?"
          verb="Delete"
          typed={rule}
          isDestructive
          same={[
            {
              method: 'DELETE',
              path: pathOf(['clusters', clusterId, 'strategies', rule]),
              tidemark: ['strategy', 'delete', clusterId, '--rule', rule],
            },
          ]}
          act={() => strategies.deleteStrategy({ clusterId, rule })}
          onDone={() => route(pathOf(['clusters', clusterId]))}
          onClose={() => (isDeleting.value = false)}
        >
          <p>It plans nothing more. Its backups stay, and are kept: no retention looks at them any more.</p>
        </Confirm>
      )}
    </Page>
  );
}
