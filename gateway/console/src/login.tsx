import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { beginLogin, loginBeside, loginSettings } from './login-at-issuer.ts';
import { Logo } from './parts/logo.tsx';
import { LoginRefused, login } from './session.ts';

/** The first page of who has no token yet. */
export function Login({ trouble }: { readonly trouble: string | undefined }) {
  useEffect(() => {
    document.title = 'Log in · Tidemark';
  }, []);
  return (
    <main class="login">
      <Logo />
      <h1>Log in to Tidemark</h1>
      <LoginForm trouble={trouble} />
      <p class="muted">
        No token yet? <code>npm run tidemark -- token file create</code> makes one, and <code>npm start</code> says
        where its own is.
      </p>
    </main>
  );
}

interface LoginFormProps {
  readonly trouble: string | undefined;
  /** Whether the page behind it must stay as it is. */
  readonly isBeside?: boolean;
}

/** Takes a token, or leads to the issuer. What is typed goes nowhere but to this gateway. */
export function LoginForm({ trouble, isBeside = false }: LoginFormProps) {
  const presented = useSignal('');
  const problem = useSignal(trouble);
  const isBusy = useSignal(false);
  const settings = useSignal<Awaited<ReturnType<typeof loginSettings>>>(undefined);
  useEffect(() => {
    void loginSettings().then(
      (known) => (settings.value = known),
      () => undefined,
    );
  }, []);
  const attempt = async (work: () => Promise<void>) => {
    isBusy.value = true;
    problem.value = undefined;
    try {
      await work();
    } catch (error) {
      problem.value = error instanceof LoginRefused ? error.message : 'The gateway cannot be reached.';
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <>
      {settings.value && (
        <button
          type="button"
          class="primary wide"
          disabled={isBusy.value}
          onClick={() => {
            const known = settings.value;
            if (known) void attempt(() => (isBeside ? loginBeside() : beginLogin(known)));
          }}
        >
          Log in at {new URL(settings.value.issuer).host}
        </button>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void attempt(() => login(presented.value.trim()));
        }}
      >
        <label>
          Token
          <input
            type="password"
            name="token"
            value={presented}
            onInput={(event) => (presented.value = event.currentTarget.value)}
            autocomplete="off"
            spellcheck={false}
            required
          />
        </label>
        {problem.value !== undefined && (
          <p class="trouble" role="alert">
            {problem.value}
          </p>
        )}
        <button type="submit" class={settings.value ? 'wide' : 'primary wide'} disabled={isBusy.value}>
          {isBusy.value ? 'Looking …' : 'Log in'}
        </button>
      </form>
    </>
  );
}
