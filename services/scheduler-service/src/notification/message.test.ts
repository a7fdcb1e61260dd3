import { describe, expect, it } from 'vitest';
import { newEvent } from './decide/event.ts';
import { escapedForSlack, plainText, titleOf, toCloudEvent, together } from './decide/message.ts';
import { renderText, templateTrouble } from './template.ts';

const QUOTED = 'o"hara \\ <!channel> & {{title}}';
const EVENT = newEvent(
  {
    id: 'e1',
    type: 'backup.failed',
    topic: 'backup',
    severity: 'critical',
    at: new Date('2026-12-02T03:00:00Z'),
    text: 'A backup of orders failed.',
  },
  { clusterId: 'orders', labels: [['team', QUOTED]] },
);

describe('a CloudEvent', () => {
  it('holds what is known and leaves out what is not', () => {
    expect(JSON.parse(toCloudEvent(EVENT, '/tidemark'))).toEqual({
      specversion: '1.0',
      id: 'e1',
      source: '/tidemark',
      type: 'tidemark.backup.failed.v1',
      subject: 'orders',
      time: '2026-12-02T03:00:00.000Z',
      datacontenttype: 'application/json',
      data: {
        topic: 'backup',
        severity: 'critical',
        text: 'A backup of orders failed.',
        clusterId: 'orders',
        labels: { team: QUOTED },
      },
    });
  });
});

describe('a title', () => {
  it('is one line, whatever the text holds', () => {
    expect(titleOf({ ...EVENT, text: 'a\rBcc: x@example.com\nb' })).toBe('Tidemark CRITICAL: a Bcc: x@example.com');
  });
});

describe('many events at once', () => {
  it('are one text for people, the most urgent first', () => {
    const late = { ...EVENT, id: 'e2', severity: 'warning' as const, text: 'stock is late.' };
    const { severity, text } = together([late, EVENT]);
    expect(severity).toBe('critical');
    expect(text).toBe(
      '2 notifications at once\n- Tidemark CRITICAL: A backup of orders failed.\n- Tidemark warning: stock is late.',
    );
    expect(plainText(together([late, EVENT]))).toContain('- Tidemark warning: stock is late.');
  });
});

it('many events at once hold all of a digest', () => {
  const digest = {
    ...EVENT,
    id: 'e2',
    topic: 'digest' as const,
    severity: 'info' as const,
    text: '2 clusters: 1 late.\n1 to look at:\n- x',
  };
  const { text } = together([digest, EVENT]);
  expect(text).toContain('- Tidemark digest: 2 clusters: 1 late.\n  1 to look at:\n  - x');
});

it('many events at once have an id that is the same at each try, and another one with other events', () => {
  const [late, third] = [
    { ...EVENT, id: 'e2' },
    { ...EVENT, id: 'e3' },
  ];
  expect(together([late, EVENT]).id).toBe(together([EVENT, late]).id);
  expect(together([late, EVENT]).id).not.toBe(together([late, EVENT, third]).id);
});

describe('a template', () => {
  it('gets the values of the event, escaped for where they go', () => {
    const { text, trouble } = renderText('*{{title}}* by {{labels.team}}', EVENT, escapedForSlack);
    expect(trouble).toBeUndefined();
    expect(text).toBe('*Tidemark CRITICAL: A backup of orders failed.* by o"hara \\ &lt;!channel&gt; &amp; {{title}}');
    expect(JSON.parse(JSON.stringify({ text })).text).toBe(text);
  });

  it('that fails, or makes nothing of the event, leaves it plain', () => {
    for (const template of ['{{#open}}', '{{nothing}}', '{{/x}}']) {
      const { text, trouble } = renderText(template, EVENT);
      expect(trouble).toMatch(/^The template/);
      expect(text).toBe(plainText(EVENT));
    }
  });

  it('finds nothing but the event', () => {
    expect(renderText('[{{constructor}}{{__proto__}}{{labels.toString}}{{> file}}]', EVENT).text).toBe('[]');
  });

  it('is looked at before it is saved', () => {
    expect(templateTrouble('{{#open}}')).toContain('Unclosed section');
    expect(templateTrouble('{{title}}')).toBeUndefined();
  });
});
