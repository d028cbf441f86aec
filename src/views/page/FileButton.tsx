import styles from './fileButton.module.css';

interface FileButtonProps {
  readonly text: string;
  /** Endings, as an input's `accept`; any file without it. */
  readonly accept?: string;
  readonly title?: string;
  readonly isSmall?: boolean;
  readonly disabled?: boolean;
  readonly multiple?: boolean;
  /** Once for each file, with all that were chosen together. */
  onChoose(file: File, chosen: readonly File[]): void;
}

/** Looks like a button, and asks for a file. */
export function FileButton({ text, accept, title, isSmall, disabled, multiple, onChoose }: FileButtonProps) {
  return (
    <label
      className={isSmall ? `${styles.fileButton} small` : styles.fileButton}
      title={title}
      data-disabled={disabled || undefined}
    >
      <span>{text}</span>
      <input
        type="file"
        accept={accept}
        disabled={disabled}
        multiple={multiple}
        onChange={(event) => {
          const chosen = [...(event.target.files ?? [])];
          // Clearing the value lets the same file be chosen again, say after it was replaced on disk.
          event.target.value = '';
          for (const file of chosen) onChoose(file, chosen);
        }}
      />
    </label>
  );
}
