import { Page } from '../parts/page.tsx';

export function NowherePage() {
  return (
    <Page title="There is nothing here" same={[]}>
      <p>
        The address leads nowhere. <a href="/">The fleet</a> is a good place to go on.
      </p>
    </Page>
  );
}
