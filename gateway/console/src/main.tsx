import { render } from 'preact';
import { App } from './app.tsx';
import { startClock } from './clock.ts';

startClock();
const root = document.getElementById('app');
if (root) render(<App />, root);
