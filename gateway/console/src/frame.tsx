/** What stands around every page: where one can go, who one is, and whether what is shown is of now. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { registry } from './api.ts';
import { answeredAt, isAway } from './connection.ts';
import { LoginForm } from './login.tsx';
import { Dialog } from './parts/dialog.tsx';
import { Logo } from './parts/logo.tsx';
import { Age } from './parts/time.tsx';
import { onlyPage, searchPage } from './search.ts';
import { caller, ended, logout, mayAdminister, seesAll } from './session.ts';

interface Place {
  readonly path: string;
  readonly name: string;
  /** Whether this caller may see what is there; left out, everybody may. */
  readonly isFor?: () => boolean;
}

const ownsAll = () => mayAdminister.value && seesAll.value;

const PLACES: readonly Place[] = [
  { path: '/', name: 'Fleet' },
  { path: '/backups', name: 'Backups' },
  { path: '/restores', name: 'Restores' },
  { path: '/plans', name: 'Plans' },
  { path: '/workers', name: 'Workers' },
  { path: '/storages', name: 'Storages', isFor: ownsAll },
  { path: '/tokens', name: 'Tokens', isFor: () => mayAdminister.value },
  { path: '/notifications', name: 'Notifications', isFor: () => seesAll.value },
  { path: '/audit', name: 'Audit', isFor: () => mayAdminister.value },
];

export function Frame({ children }: { readonly children: ComponentChildren }) {
  const { path } = useLocation();
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  // With each new address readers begin at the page, and not at the menu.
  useEffect(() => {
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [path]);
  return (
    <div class="frame">
      <a class="skip" href="#page">
        Skip to the page
      </a>
      <Side path={path} />
      <div class="body">
        <Away />
        <main id="page" ref={main} tabIndex={-1} class={isAway.value ? 'old' : undefined}>
          {children}
        </main>
      </div>
      {ended.value !== undefined && (
        <Dialog title="Please log in again" onClose={logout}>
          <p>{ended.value} The page stays as it is.</p>
          <LoginForm trouble={undefined} isBeside />
        </Dialog>
      )}
    </div>
  );
}

function Side({ path }: { readonly path: string }) {
  const isOpen = useSignal(false);
  useEffect(() => {
    isOpen.value = false;
  }, [path]);
  return (
    <header class={isOpen.value ? 'side open' : 'side'}>
      <a class="brand" href="/">
        <Logo />
        Tidemark
      </a>
      <button
        type="button"
        class="menu"
        aria-expanded={isOpen.value}
        aria-controls="menu"
        onClick={() => (isOpen.value = !isOpen.value)}
      >
        Menu
      </button>
      <div id="menu">
        <Search />
        <nav aria-label="Pages of the console">
          {PLACES.filter(({ isFor }) => isFor?.() ?? true).map((place) => (
            <a key={place.path} href={place.path} aria-current={isWithin(place.path, path) ? 'page' : undefined}>
              {place.name}
            </a>
          ))}
        </nav>
        <div class="who">
          <p>
            <strong>{caller.value?.name}</strong>
            <span class="muted"> {caller.value?.role}</span>
          </p>
          <p>
            <a href="/docs" target="_blank" rel="noopener">
              API reference
            </a>
          </p>
          <button type="button" class="small" onClick={logout}>
            Log out
          </button>
        </div>
      </div>
    </header>
  );
}

function isWithin(place: string, path: string): boolean {
  if (place === '/') return path === '/' || path.startsWith('/clusters/');
  return path === place || path.startsWith(`${place}/`);
}

function Search() {
  const { route } = useLocation();
  const text = useSignal('');
  const isLooking = useSignal(false);
  const search = async (event: Event) => {
    event.preventDefault();
    const wanted = text.value.trim();
    if (wanted === '' || isLooking.value) return;
    isLooking.value = true;
    // What went wrong is said on the page of what was found, which asks again.
    const page = await registry.search({ text: wanted }).then(onlyPage, () => undefined);
    isLooking.value = false;
    text.value = '';
    route(page ?? searchPage(wanted));
  };
  return (
    <search>
      <form onSubmit={search}>
        <input
          type="search"
          aria-label="Find by an id or a name, or the beginning of one"
          placeholder="Find by id or name"
          minLength={2}
          maxLength={64}
          value={text}
          onInput={(event) => (text.value = event.currentTarget.value)}
        />
      </form>
    </search>
  );
}

/** Says that nothing new is known, and how old what is shown is; of the age that grows readers are not told again and again. */
function Away() {
  if (!isAway.value) return null;
  return (
    <aside class="away" aria-label="Not connected">
      <b>
        As of <Age of={answeredAt.value} /> ago; not connected.
      </b>{' '}
      <span role="status">
        {navigator.onLine ? 'The gateway does not answer' : 'This computer is offline'}. What you see is of the last
        answer, and goes on by itself.
      </span>
    </aside>
  );
}
