import { type Theme, themes } from '../../state/remembered.ts';
import { DropTarget, Encoder, EncoderStatus } from '../encoder/Encoder.tsx';
import { Prompts } from '../prompts/Prompts.tsx';
import styles from './app.module.css';
import { Examples } from './Examples.tsx';
import { Guarded } from './Guarded.tsx';
import { Notices } from './Notices.tsx';
import { useFacts } from './useFacts.ts';
import { Views } from './Views.tsx';

export function App() {
  return (
    <>
      <a className={styles.skipLink} href="#prompts">
        Skip to the prompts
      </a>
      <Guarded name="the header">
        <Header />
      </Guarded>
      <main>
        <Notices />
        <div className={styles.page}>
          <Guarded name="the models">
            <Encoder />
          </Guarded>
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
  return (
    <header className={styles.bar}>
      <h1>
        clip<span className={styles.brandEnd}>scope</span>
      </h1>
      <p className={styles.purpose}>
        See what Stable Diffusion’s text encoder reads in your prompt. Everything is computed here: nothing leaves this
        browser.
      </p>
      <Examples />
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
      </div>
    </header>
  );
}
