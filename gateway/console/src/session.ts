/**
 * Who has logged in. The token is kept in sessionStorage, for this tab alone, and nowhere else.
 *
 * 1. A token is kept only after the gateway took it.
 * 2. A token that is refused later ends nothing on the screen: `ended` says why, and whoever logs in again goes on there. Only somebody who
 *    may see less, or other things, begins anew: nothing of what the one before saw is left then.
 */
import { computed, signal } from '@preact/signals';

export type Role = 'viewer' | 'operator' | 'admin';

export interface Caller {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly seesAll: boolean;
}

const KEY = 'tidemark.token';

export const token = signal<string | undefined>(undefined);
export const caller = signal<Caller | undefined>(undefined);
/** Why the token is good no more, while somebody is at work. */
export const ended = signal<string | undefined>(undefined);

/** Another number for each who must not see what was shown before. */
export const sight = signal(0);

export const mayOperate = computed(() => caller.value !== undefined && caller.value.role !== 'viewer');
export const mayAdminister = computed(() => caller.value?.role === 'admin');
export const seesAll = computed(() => caller.value?.seesAll ?? false);

/** A refused login, as a sentence for people. */
export class LoginRefused extends Error {}

/**
 * Takes the token that this tab knows, or that came with the address behind `#token=`, which never leaves the browser and is taken out
 * of the address before anything else happens.
 */
export async function resume(): Promise<void> {
  const given = takeFromFragment();
  const known = given ?? sessionStorage.getItem(KEY) ?? undefined;
  if (known === undefined) return;
  try {
    await login(known);
  } catch (error) {
    if (!(error instanceof LoginRefused)) throw error;
    sessionStorage.removeItem(KEY);
    if (given !== undefined) throw error;
  }
}

const RANKS: readonly Role[] = ['viewer', 'operator', 'admin'];

function seesAsMuch(next: Caller, before: Caller): boolean {
  return (next.id === before.id || next.seesAll) && RANKS.indexOf(next.role) >= RANKS.indexOf(before.role);
}

/** @throws LoginRefused when the gateway does not take it; TypeError while the gateway cannot be reached */
export async function login(presented: string): Promise<void> {
  // What a header cannot hold is no token.
  if (!/^[\x21-\x7e]+$/.test(presented)) throw new LoginRefused('A token has no blanks and no special characters.');
  const response = await fetch('/console/caller', { headers: { authorization: `Bearer ${presented}` } });
  if (!response.ok) {
    const { message } = (await response.json().catch(() => ({}))) as { message?: string };
    throw new LoginRefused(message ?? `The gateway answered ${response.status}.`);
  }
  sessionStorage.setItem(KEY, presented);
  const next = (await response.json()) as Caller;
  token.value = presented;
  if (caller.value && !seesAsMuch(next, caller.value)) sight.value += 1;
  caller.value = next;
  ended.value = undefined;
}

export function logout(): void {
  sessionStorage.removeItem(KEY);
  token.value = undefined;
  caller.value = undefined;
  ended.value = undefined;
}

/** A call was refused with this token. One of an earlier token says nothing. */
export function refuse(used: string | undefined, why: string): void {
  if (used !== undefined && used === token.value) ended.value = why;
}

function takeFromFragment(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get('token') ?? undefined;
  if (given !== undefined) history.replaceState(history.state, '', location.pathname + location.search);
  return given;
}
