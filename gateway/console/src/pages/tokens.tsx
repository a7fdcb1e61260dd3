import { useSignal } from '@preact/signals';
import type { Token } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { registry } from '../api.ts';
import { useLive } from '../live.ts';
import { Confirm, useAct } from '../parts/act.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { AdminPage, Page } from '../parts/page.tsx';
import { Trouble } from '../parts/problem.tsx';
import { CopyButton, SameByShell } from '../parts/shell.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, At } from '../parts/time.tsx';
import { seesAll } from '../session.ts';
import { pathOf } from '../shell.ts';
import {
  NEW_TOKEN,
  ROLES,
  type RoleName,
  requestOf,
  roleName,
  sameCreate,
  scopeOf,
  type TokenForm,
} from '../token-form.ts';

const EVERY_MS = 15_000;
const MOST_NAME = 128;
const SAME = [{ method: 'GET', path: '/tokens', tidemark: ['token', 'list'] }] as const;

/** The tokens that were made by calls: who may use the API, and until when. */
export function TokensPage() {
  return (
    <AdminPage title="Tokens" same={SAME}>
      <Tokens />
    </AdminPage>
  );
}

function Tokens() {
  const live = useLive('tokens', async (signal) => (await registry.listTokens({}, { signal })).tokens, EVERY_MS);
  const isMaking = useSignal(false);
  const revoked = useSignal<Token | undefined>(undefined);
  const { data } = live;
  return (
    <Page
      title="Tokens"
      live={live}
      loading="tokens"
      actions={
        <button type="button" class="primary" onClick={() => (isMaking.value = true)}>
          Make a token …
        </button>
      }
      same={SAME}
    >
      <p class="muted">Those of the file of hashed tokens, and of an issuer, are not among them.</p>
      {data.value && (
        <Table
          label="Tokens"
          kind="tokens"
          rows={data.value}
          keyOf={({ id }) => id}
          empty="No token was made by a call yet."
          columns={[
            {
              name: 'Token',
              cell: ({ id, name }) => (
                <>
                  <bdi>
                    <b>{name}</b>
                  </bdi>{' '}
                  <code class="muted">{id}</code>
                </>
              ),
            },
            { name: 'Role', cell: ({ role }) => <span class="nowrap">{roleName(role)}</span> },
            { name: 'For', cell: (token) => scopeOf(token) },
            { name: 'Expires', cell: ({ expireTime }) => (expireTime ? <At at={expireTime} /> : 'never') },
            { name: 'Made', cell: ({ createTime }) => <Ago at={createTime} /> },
            { name: 'By', cell: ({ createdBy }) => createdBy },
            {
              name: 'Do',
              cell: (token) => (
                <button type="button" class="danger quiet small" onClick={() => (revoked.value = token)}>
                  Revoke … <span class="unseen">{token.name}</span>
                </button>
              ),
            },
          ]}
        />
      )}
      {isMaking.value && <MakeToken onMade={live.refresh} onClose={() => (isMaking.value = false)} />}
      {revoked.value && (
        <RevokeToken
          token={revoked.value}
          onDone={() => {
            revoked.value = undefined;
            live.refresh();
          }}
          onClose={() => (revoked.value = undefined)}
        />
      )}
    </Page>
  );
}

interface MakeProps {
  readonly onMade: () => void;
  readonly onClose: () => void;
}

/** Asks what the token is for, and then shows its secret, which is known here alone and gone with the dialog. */
function MakeToken({ onMade, onClose }: MakeProps) {
  const form = useSignal<TokenForm>(NEW_TOKEN);
  const secret = useSignal('');
  const making = useAct();
  const change = (part: Partial<TokenForm>) => (form.value = { ...form.value, ...part });
  const submit = async (event: Event) => {
    event.preventDefault();
    const isMade = await making.run(async () => {
      secret.value = (await registry.createToken(requestOf(form.value))).secret;
    });
    if (isMade) onMade();
  };
  if (secret.value !== '') return <Secret name={form.value.name} secret={secret.value} onClose={onClose} />;
  return (
    <Dialog title="Make a token" onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          Name, as records and the audit show it
          <input
            required
            maxLength={MOST_NAME}
            autocomplete="off"
            value={form.value.name}
            onInput={(event) => change({ name: event.currentTarget.value })}
          />
        </label>
        <label>
          Role
          <select value={form.value.role} onChange={(event) => change({ role: event.currentTarget.value as RoleName })}>
            {ROLES.map(([name, , may]) => (
              <option key={name} value={name}>
                {name}: {may}
              </option>
            ))}
          </select>
        </label>
        <label>
          Clusters, by their ids, separated by commas
          <input
            autocomplete="off"
            spellcheck={false}
            placeholder={seesAll.value ? 'orders, stock; * is all' : 'all of yours'}
            value={form.value.clusters}
            onInput={(event) => change({ clusters: event.currentTarget.value })}
          />
        </label>
        {seesAll.value && (
          <label>
            And all clusters that have all of these labels
            <input
              autocomplete="off"
              spellcheck={false}
              placeholder="env=prod, zone=a"
              value={form.value.labels}
              onInput={(event) => change({ labels: event.currentTarget.value })}
            />
          </label>
        )}
        <label>
          Expires; never, where it is left out
          <input
            type="datetime-local"
            value={form.value.expires}
            onInput={(event) => change({ expires: event.currentTarget.value })}
          />
        </label>
        <Trouble problem={making.problem.value} />
        <SameByShell of={[sameCreate(form.value)]} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Make none
          </button>
          <button type="submit" class="primary" disabled={making.isBusy.value}>
            {making.isBusy.value ? 'Working …' : 'Make it'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface SecretProps {
  readonly name: string;
  readonly secret: string;
  readonly onClose: () => void;
}

function Secret({ name, secret, onClose }: SecretProps) {
  return (
    <Dialog title={`The token ${name}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onClose();
        }}
      >
        <p class="note warn">Copy it now: it is shown this once, and only its hash is kept.</p>
        <div class="secret">
          <code>{secret}</code>
          <CopyButton text={secret} what="the token" />
        </div>
        <div class="buttons">
          <button type="submit" class="primary">
            I have copied it
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface RevokeProps {
  readonly token: Token;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

function RevokeToken({ token: { id, name }, onDone, onClose }: RevokeProps) {
  return (
    <Confirm
      title="Revoke this token?"
      verb="Revoke"
      typed={name}
      isDestructive
      same={[{ method: 'DELETE', path: pathOf(['tokens', id]), tidemark: ['token', 'revoke', id] }]}
      act={() => registry.revokeToken({ id })}
      onDone={onDone}
      onClose={onClose}
    >
      <p>Whoever uses it is refused within seconds, and it cannot be had back.</p>
    </Confirm>
  );
}
