import { useState } from 'react';
import { type Theme, themes } from '../../state/remembered.ts';
import { standsAlone } from '../../state/view.ts';
import { DropTarget, Encoder, EncoderStatus } from '../encoder/Encoder.tsx';
import { Prompts } from '../prompts/Prompts.tsx';
import styles from './app.module.css';
import { Embedded } from './Embedded.tsx';
import { Examples } from './Examples.tsx';
import { Guarded } from './Guarded.tsx';
import { Hideable } from './Hideable.tsx';
import { lazyPart } from './lazyPart.tsx';
import { Notices } from './Notices.tsx';
import { useFacts } from './useFacts.ts';
import { Views } from './Views.tsx';

const Explanations = lazyPart(async () => (await import('./Explanations.tsx')).Explanations, { loading: null });
const Help = lazyPart(async () => (await import('./Help.tsx')).Help, { loading: null });

export function App() {
  const embed = useFacts((s) => s.parts.embed);
  return (
    <>
      {embed ? <Embedded /> : <WholePage />}
      <Explanations />
    </>
  );
}

/** Leads keyboards past the header: to the prompts, or to a view that has none. */
function SkipLink() {
  const view = useFacts((s) => s.view);
  const isAlone = standsAlone(view);
  return (
    <a className={styles.skipLink} href={isAlone ? `#${view}` : '#prompts'}>
      Skip to {isAlone ? 'the view' : 'the prompts'}
    </a>
  );
}

function WholePage() {
  return (
    <>
      <SkipLink />
      <Hideable part="header" otherwise={<h1 className="visually-hidden">clipscope</h1>}>
        <Guarded name="the header">
          <Header />
        </Guarded>
      </Hideable>
      <main>
        <Notices />
        <div className={styles.page}>
          <Hideable part="models">
            <Guarded name="the models">
              <Encoder />
            </Guarded>
          </Hideable>
          <Prompts />
          <Views />
        </div>
      </main>
      <Guarded name="the place to drop files">
        <DropTarget />
      </Guarded>
    </>
  );
}

const themeNames: Record<Theme, string> = { system: 'System theme', light: 'Light theme', dark: 'Dark theme' };

function Header() {
  const theme = useFacts((s) => s.theme);
  const setTheme = useFacts((s) => s.setTheme);
  const [isHelpOpen, setHelpOpen] = useState(false);
  return (
    <header className={styles.bar}>
      <h1>
        clip<span className={styles.brandEnd}>scope</span>
      </h1>
      <p className={styles.purpose}>See how Stable Diffusion reads your prompt. Nothing leaves this browser.</p>
      <Hideable part="examples">
        <Examples />
      </Hideable>
      <div className={styles.end}>
        <Guarded name="the status of the encoder">
          <EncoderStatus />
        </Guarded>
        <select
          aria-label="Theme"
          className="quiet"
          value={theme}
          onChange={(event) => setTheme(event.target.value as Theme)}
        >
          {themes.map((name) => (
            <option key={name} value={name}>
              {themeNames[name]}
            </option>
          ))}
        </select>
        <button type="button" className="quiet" aria-label="What is this?" onClick={() => setHelpOpen(true)}>
          ?
        </button>
        {isHelpOpen && <Help onClose={() => setHelpOpen(false)} />}
      </div>
    </header>
  );
}
