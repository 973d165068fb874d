// What Go's net/http reads of a form: cases on standard input, readings on standard output, a JSON text a line.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
)

type form struct {
	ContentType string `json:"content_type"`
	Body        []byte `json:"body"`
}

type file struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	Size        int    `json:"size"`
	SHA256      string `json:"sha256"`
}

func main() {
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for {
		var sent form
		if in.Decode(&sent) != nil {
			return
		}
		if read, err := fields(sent); err != nil {
			out.Encode(err.Error())
		} else {
			out.Encode(read)
		}
	}
}

func fields(sent form) (map[string][]any, error) {
	request, err := http.NewRequest("POST", "/", bytes.NewReader(sent.Body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", sent.ContentType)
	if err := request.ParseMultipartForm(1 << 20); err != nil && err != http.ErrNotMultipart {
		return nil, err
	}
	read := map[string][]any{}
	for name, values := range request.PostForm {
		for _, value := range values {
			read[name] = append(read[name], value)
		}
	}
	if request.MultipartForm == nil {
		return read, nil
	}
	for name, headers := range request.MultipartForm.File {
		for _, header := range headers {
			opened, err := header.Open()
			if err != nil {
				return nil, err
			}
			content, _ := io.ReadAll(opened)
			digest := sha256.Sum256(content)
			read[name] = append(read[name], file{header.Filename, header.Header.Get("Content-Type"), len(content), hex.EncodeToString(digest[:])})
		}
	}
	return read, nil
}
