import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Problem } from '../api.ts';
import type { Same } from '../shell.ts';
import { Trouble } from './problem.tsx';
import { SameByShell } from './shell.tsx';

interface PageProps {
  /** Of the tab; the heading too, where no other is given. */
  readonly title: string;
  readonly heading?: ComponentChildren;
  /** Beside the heading: what can be done here. */
  readonly actions?: ComponentChildren;
  readonly problem?: Problem | undefined;
  readonly same: readonly Same[];
  readonly children: ComponentChildren;
}

/** What all pages have in common: a heading that is the title of the tab, troubles, and the commands that do the same. */
export function Page({ title, heading = title, actions, problem, same, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Tidemark`;
  }, [title]);
  return (
    <>
      <header class="page">
        <h1>{heading}</h1>
        {actions && <div class="buttons">{actions}</div>}
      </header>
      <Trouble problem={problem} />
      {children}
      <SameByShell of={same} />
    </>
  );
}

/** A heading with what belongs to it. */
export function Section({
  title,
  more,
  children,
}: {
  readonly title: string;
  readonly more?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  const id = `section-${title.toLowerCase().replaceAll(/\W+/g, '-')}`;
  return (
    <section aria-labelledby={id}>
      <div class="section-head">
        <h2 id={id}>{title}</h2>
        {more}
      </div>
      {children}
    </section>
  );
}

/** Pairs of a name and what is known of it. */
export function Facts({ of }: { readonly of: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of
        .filter(([, value]) => value !== undefined && value !== '' && value !== null && value !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

export function Loading({ of }: { readonly of: string }) {
  return (
    <p class="muted loading" role="status">
      Loading {of} …
    </p>
  );
}
