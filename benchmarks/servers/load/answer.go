package main

import (
	"bytes"
	"errors"
	"strconv"
)

// Answer is one whole HTTP response at the start of a buffer.
type Answer struct {
	Status int
	Body   []byte
	Size   int
	Close  bool
}

var (
	errMalformed = errors.New("the answer is no HTTP/1.1 response")
	errNoLength  = errors.New("the answer has no Content-Length")
	headEnd      = []byte("\r\n\r\n")
	lineEnd      = []byte("\r\n")
)

// parse reads one response; whole is false while bytes are missing.
func parse(buffer []byte) (answer Answer, whole bool, err error) {
	head := bytes.Index(buffer, headEnd)
	if head < 0 {
		return answer, false, nil
	}
	if head < 12 || !bytes.HasPrefix(buffer, []byte("HTTP/1.1 ")) {
		return answer, false, errMalformed
	}
	if answer.Status, err = strconv.Atoi(string(buffer[9:12])); err != nil || answer.Status < 100 || answer.Status > 599 {
		return answer, false, errMalformed
	}
	length := -1
	for rest := buffer[12:head]; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, lineEnd)
		rest = after
		if len(line) == 0 || line[0]|0x20 != 'c' {
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == 14 && bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length < 0 {
				return answer, false, errMalformed
			}
		case len(name) == 10 && bytes.EqualFold(name, []byte("connection")):
			answer.Close = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
	if length < 0 {
		return answer, false, errNoLength
	}
	answer.Size = head + len(headEnd) + length
	if len(buffer) < answer.Size {
		return answer, false, nil
	}
	answer.Body = buffer[head+len(headEnd) : answer.Size]
	return answer, true, nil
}
