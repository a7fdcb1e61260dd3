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
  const isCopied = useSignal(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    isCopied.value = true;
    setTimeout(() => (isCopied.value = false), COPIED_MS);
  };
  return (
    <div class="line">
      <code data-shell={kind}>{text}</code>
      {/* Where the page is not from a secure address, browsers have no clipboard for it. */}
      {window.isSecureContext && (
        <button type="button" class="small" onClick={copy} aria-label={`Copy the ${kind} command`}>
          {isCopied.value ? 'Copied' : 'Copy'}
        </button>
      )}
    </div>
  );
}
