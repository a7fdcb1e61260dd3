import { useSignal } from '@preact/signals';
import { curlLine, type Same, tidemarkLine } from '../shell.ts';

const COPIED_MS = 1_500;

/** The commands that do what the page does. */
export function SameByShell({ of }: { readonly of: readonly Same[] }) {
  if (of.length === 0) return null;
  return (
    <details class="same">
      <summary>The same from a shell</summary>
      {of.map((same) => (
        <div key={`${same.method} ${same.path}`}>
          <Line text={tidemarkLine(same)} kind="tidemark" />
          <Line text={curlLine(location.origin, same)} kind="curl" />
        </div>
      ))}
      <p class="muted">
        <code>TOKEN</code> is a token of yours, such as <code>export TOKEN=$(cat my-token)</code>.
      </p>
    </details>
  );
}

function Line({ text, kind }: { readonly text: string; readonly kind: 'tidemark' | 'curl' }) {
  return (
    <div class="line">
      <code data-shell={kind}>{text}</code>
      <CopyButton text={text} what={`the ${kind} command`} />
    </div>
  );
}

/** Nothing where the page is not from a secure address: there browsers have no clipboard for it. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const isCopied = useSignal(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    isCopied.value = true;
    setTimeout(() => (isCopied.value = false), COPIED_MS);
  };
  if (!window.isSecureContext) return null;
  return (
    <button type="button" class="small" onClick={copy} aria-label={`Copy ${what}`}>
      {isCopied.value ? 'Copied' : 'Copy'}
    </button>
  );
}
