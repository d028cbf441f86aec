import { type Theme, themes } from '../../state/remembered.ts';
import { LazyAnatomy } from '../anatomy/LazyAnatomy.tsx';
import { Attention } from '../attention/Attention.tsx';
import { LazyCheckpoint } from '../checkpoint/LazyCheckpoint.tsx';
import { DropTarget, Encoder, EncoderStatus } from '../encoder/Encoder.tsx';
import { LazyExport } from '../export/LazyExport.tsx';
import { Masks } from '../masks/Masks.tsx';
import { LazyMethods } from '../methods/LazyMethods.tsx';
import { LazyPrograms } from '../programs/LazyPrograms.tsx';
import { Prompts } from '../prompts/Prompts.tsx';
import { TokenTable } from '../tokens/TokenTable.tsx';
import { LazyVocabulary } from '../vocabulary/LazyVocabulary.tsx';
import { LazyPanel } from './lazyPart.tsx';
import { Notices } from './Notices.tsx';
import { useFacts } from './useFacts.ts';

export function App() {
  return (
    <>
      <a className="skip-link" href="#prompts">
        Skip to the prompts
      </a>
      <Header />
      <main>
        <Notices />
        <div className="page">
          <Encoder />
          <div className="column inputs">
            <Prompts />
            <TokenTable />
          </div>
          <Pictures />
        </div>
      </main>
      <DropTarget />
    </>
  );
}

const themeNames: Record<Theme, string> = { system: 'System theme', light: 'Light theme', dark: 'Dark theme' };

function Header() {
  const theme = useFacts((s) => s.theme);
  const setTheme = useFacts((s) => s.setTheme);
  return (
    <header className="bar">
      <h1>
        clip<span className="brand-end">scope</span>
      </h1>
      <nav aria-label="Panels">
        <a href="#tokens">Tokens</a>
        <a href="#attention">Attention</a>
        <a href="#anatomy">Anatomy</a>
        <a href="#masks">Masks</a>
        <a href="#embeddings">Embeddings</a>
        <a href="#methods">Methods</a>
        <a href="#programs">Programs</a>
        <a href="#vocabulary">Vocabulary</a>
        <a href="#export">Export</a>
        <a href="#checkpoint">Checkpoint</a>
      </nav>
      <div className="end">
        <EncoderStatus />
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

const loadAnswer = async () => ({ Panel: (await import('../answer/Answer.tsx')).Answer });
const loadWeights = async () => ({ Panel: (await import('../weights/Weights.tsx')).Weights });
const loadEmbeddings = async () => ({ Panel: (await import('../embeddings/Embeddings.tsx')).Embeddings });

function Pictures() {
  return (
    <div className="column pictures">
      <LazyPanel id="answer" title="Answer" load={loadAnswer} />
      <LazyPanel id="weights" title="Weights" load={loadWeights} />
      <Attention />
      <LazyAnatomy />
      <Masks />
      <LazyPanel id="embeddings" title="Embeddings" load={loadEmbeddings} />
      <LazyMethods />
      <LazyPrograms />
      <LazyVocabulary />
      <LazyExport />
      <LazyCheckpoint />
    </div>
  );
}
