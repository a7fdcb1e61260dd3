import type { Problem } from '../api.ts';

/** What went wrong, in the place where it did. */
export function Trouble({ problem }: { readonly problem: Problem | undefined }) {
  if (!problem) return null;
  return (
    <div class="trouble" role="alert">
      <p>
        {problem.message} <code>{problem.code}</code>
      </p>
      {problem.fields.length > 0 && (
        <ul>
          {problem.fields.map(({ field, description }) => (
            <li key={field}>
              <code>{field}</code> {description}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
