import { lazy, Suspense, useState } from 'react';
import { FileButton } from '../page/FileButton.tsx';
import { useFacts } from '../page/useFacts.ts';
import { History } from './History.tsx';
import { KeysHelp } from './KeysHelp.tsx';
import { Share } from './Share.tsx';
import { TextualInversions } from './TextualInversions.tsx';

const Convert = lazy(() => import('./Convert.tsx').then(({ Convert }) => ({ default: Convert })));

const tools = { history: 'History', convert: 'Convert…', keys: 'Keys' } as const;
type Tool = keyof typeof tools;

/** Tools for the prompts as a whole. One of the larger ones is open at a time. */
export function PromptTools() {
  const openFile = useFacts((s) => s.openFile);
  const [open, setOpen] = useState<Tool | null>(null);
  const toggle = (tool: Tool) => (
    <button
      type="button"
      className="small"
      aria-expanded={open === tool}
      aria-controls={`tool-${tool}`}
      onClick={() => setOpen(open === tool ? null : tool)}
    >
      {tools[tool]}
    </button>
  );
  return (
    <div className="tools">
      <div className="toolbar">
        {toggle('history')}
        <FileButton
          isSmall
          text="Open…"
          label="Picture or saved prompt"
          accept=".png,.json"
          title="A picture that A1111 made, or a prompt saved here"
          onChoose={(file) => void openFile(file)}
        />
        <FileButton
          isSmall
          multiple
          text="Embedding…"
          label="Textual inversion"
          accept=".safetensors,.pt,.bin,.png"
          title="A textual inversion: .safetensors, .pt, .bin, or A1111's .png"
          onChoose={(file) => void openFile(file)}
        />
        {toggle('convert')}
        {toggle('keys')}
        <Share />
      </div>
      <TextualInversions />
      <div id={`tool-${open ?? 'none'}`}>
        {open === 'history' && <History onChosen={() => setOpen(null)} />}
        {open === 'convert' && (
          <Suspense fallback={<p className="muted small">Loading</p>}>
            <Convert onConverted={() => setOpen(null)} />
          </Suspense>
        )}
        {open === 'keys' && <KeysHelp />}
      </div>
    </div>
  );
}
