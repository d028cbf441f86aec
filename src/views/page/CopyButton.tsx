import { useState } from 'react';

interface CopyButtonProps {
  readonly text: string;
  /** Names the line that says how it went, for screen readers. */
  readonly label: string;
}

/** Copies a text, and says whether the browser let it. */
export function CopyButton({ text, label }: CopyButtonProps) {
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <>
      <button type="button" className="small" onClick={() => void copy()} onBlur={() => setCopied(null)}>
        Copy
      </button>
      <span className="muted small" role="status" aria-label={label}>
        {copied && 'Copied.'}
        {copied === false && 'The browser does not let the page copy: select the text instead.'}
      </span>
    </>
  );
}
