import type { Word } from '../words.ts';

const SIGNS = { good: '✓', warn: '!', bad: '✕', busy: '●', calm: '–' } as const;

/** A state in its word, with a sign and a colour that say the same. */
export function Mark({ word, text = word.text }: { readonly word: Word; readonly text?: string }) {
  return (
    <span class={`mark ${word.tone}`}>
      <span class="sign" aria-hidden="true">
        {SIGNS[word.tone]}
      </span>
      {text}
    </span>
  );
}
