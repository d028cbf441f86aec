import { lazyPart } from '../page/lazyPart.tsx';
import { Share } from './Share.tsx';

const History = lazyPart(async () => (await import('./History.tsx')).History);
const Convert = lazyPart(async () => (await import('./Convert.tsx')).Convert);
const KeysHelp = lazyPart(async () => (await import('./KeysHelp.tsx')).KeysHelp);

const tools = { history: 'History', convert: 'Convert…', keys: 'Keys' } as const;
export type Tool = keyof typeof tools;

interface PromptToolbarProps {
  readonly open: Tool | null;
  onOpen(tool: Tool | null): void;
}

/** Buttons of the tools for the prompts as a whole. One of the larger ones is open at a time. */
export function PromptToolbar({ open, onOpen }: PromptToolbarProps) {
  return (
    <div className="toolbar">
      {(Object.keys(tools) as Tool[]).map((tool) => (
        <button
          key={tool}
          type="button"
          className="small"
          aria-expanded={open === tool}
          aria-controls={open === tool ? `tool-${tool}` : undefined}
          onClick={() => onOpen(open === tool ? null : tool)}
        >
          {tools[tool]}
        </button>
      ))}
      <Share />
    </div>
  );
}

/** The larger tool that is open. */
export function OpenTool({ open, onClose }: { readonly open: Tool | null; onClose(): void }) {
  if (!open) return null;
  return (
    <div id={`tool-${open}`}>
      {open === 'history' && <History onChosen={onClose} />}
      {open === 'convert' && <Convert onConverted={onClose} />}
      {open === 'keys' && <KeysHelp />}
    </div>
  );
}
